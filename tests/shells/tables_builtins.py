"""Forms in which builtins, variables and functions start commands.

Source: the manuals of Bash 5.2 (chapters 4 to 6) and dash 0.5.12, and texts that were met.
Where a form would start itself again (`BASH_ENV`, `PS4`, traps for each command) its part is plain.
"""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

EVALUATED: Final = r"""
eval %Q
eval -- %Q
eval %P
eval "" %Q
eval : \; %P
eval %<%N%> %A
eval eval %Q
eval "eval \"%P\""
eval %<%C%> :
eval 'x=1;' %Q
\eval %Q
'eval' %Q
command eval %Q
builtin eval %Q
builtin command eval %Q
command builtin eval %Q
command command %X
command %X
command -p %X
command -- %X
command -p -- %X
\command %X
builtin command %X
builtin -- command %X
builtin builtin eval %Q
(exec %X)
(exec -- %X)
(exec -a x %X)
(exec -ax %X)
(exec -c %X)
(exec -l %X)
(exec -cl %X)
(exec -la x %X)
(exec -cla x %X)
(command exec %X)
(builtin exec %X)
exec %X
exec %X 3>&1
command . <(echo %Q)
(trap %Q EXIT)
(trap %Q 0)
(trap -- %Q EXIT)
(trap %Q exit)
(trap -- %Q 0 1 2)
(trap %Q TERM EXIT)
trap %Q EXIT
trap %p USR1; kill -USR1 $$
trap %p SIGUSR1; kill -USR1 $$
trap %p 10; kill -10 $$
trap %p DEBUG; :
trap %p ERR; false
set -T; trap %p RETURN; %F() { :; }; %F
(command trap %Q EXIT)
(builtin trap %Q EXIT)
(trap "$(echo %p)" EXIT)
%F() { %C; }; trap %F EXIT
alias x=%p@@x
alias x=%N@@x %A
shopt -s expand_aliases; alias x=%p@@x
shopt -s expand_aliases@@alias x=%N@@x %A
shopt -s expand_aliases@@alias x=%Q@@x
shopt -s expand_aliases@@alias x='env ' y=%p@@x y
shopt -s expand_aliases@@alias ls=%p@@ls
shopt -s expand_aliases@@alias x=': ; ' y=%p@@x y
alias -- x=%p@@x
alias x=%p@@eval x
shopt -s expand_aliases; alias if=%p@@if
mapfile -C %p -c 1 a <<< x
mapfile -c1 -C%p a <<< x
readarray -c 1 -C %p a <<< x
mapfile -tC %p -c1 a <<< x
%F() { %C; }; mapfile -C %F -c 1 a <<< x
compgen -C %p
compgen -C%p x
compgen -W %<$(%C)%>
%F() { %C; }; compgen -F %F
compgen -o default -C %p
jobs -x %X
builtin jobs -x %X
hash -p ~/bin/mark ls; ls %A
hash -p "$(command -v mark)" ls; ls %A
hash -p ../bin/mark x; x %A
fc -s 2>f; %C
set -o history; %P; fc -s 2>f
enable -n echo; %C
enable -n test; test 1 && %C
"""

SUBSCRIPTS: Final = r"""
x=%<a[$(%C)]%>; echo $((x))
x=%<a[$(%C)]%>; echo $((x+1))
x=%<a[$(%C)]%>; echo $(( $x ))
x=%<a[$(%C)]%>; ((x))
x=%<a[$(%C)]%>; ((y=x))
x=%<a[$(%C)]%>; : $[x]
x=%<a[$(%C)]%>; echo ${a[x]}
x=%<a[$(%C)]%>; a[x]=1
x=%<a[$(%C)]%>; echo ${PATH:x}
x=%<a[$(%C)]%>; echo ${PATH:0:x}
x=%<a[$(%C)]%>; for ((i=x; i<0; i++)); do :; done
x=%<a[$(%C)]%>; [[ x -eq 0 ]]
x=%<a[$(%C)]%>; [[ $x -lt 1 ]]
x=%<a[$(%C)]%>; let x
x=%<a[$(%C)]%>; let "y = x"
x=%<a[$(%C)]%>; declare -i y=x
x=%<a[$(%C)]%>; declare -i y; y=x
x=%<a[$(%C)]%>; declare -i y; y+=x
x=%<a[$(%C)]%>; while ((x)); do break; done
x=%<a[$(%C)]%> bash -c '((x))'
export x=%<a[$(%C)]%>; bash -c 'echo $((x))'
x=y y=%<a[$(%C)]%>; ((x))
x=%<b[$(%C)]%>; y=a[x]; ((y))
x=%<$(%C)%>; ((a[$x]))
read x <<< %<a[$(%C)]%>; ((x))
set -- %<a[$(%C)]%>; (($1))
%F() { ((x = $1)); }; %F %<a[$(%C)]%>
%F() { [[ $1 -gt 1 ]]; }; %F %<a[$(%C)]%>
(( a[$(%C)0] ))
(( a[`%B`0] = 1 ))
echo $(( a[$(%C)0] ))
[[ %<a[$(%C)]%> -eq 0 ]]
[[ 0 -lt %<a[$(%C)]%> ]]
[[ -n x && %<a[$(%C)]%> -ne 1 ]]
[[ -v %<a[$(%C)]%> ]]
[[ ! -v %<a[$(%C)]%> ]]
[[ -R %<a[$(%C)]%> ]]
[[ a[$(%C)0] -eq 0 ]]
test -v %<a[$(%C)]%>
test ! -v %<a[$(%C)]%>
test x -a -v %<a[$(%C)]%>
[ -v %<a[$(%C)]%> ]
[ x -o -v %<a[$(%C)]%> ]
[ %<a[$(%C)]%> -eq 0 ]
printf -v %<a[$(%C)]%> x
printf -v%<a[$(%C)]%> x
builtin printf -v %<a[$(%C)]%> x
printf %d %<a[$(%C)]%>
declare -i x=%<a[$(%C)]%>
declare -ai x=%<a[$(%C)]%>
declare -a x=%<([$(%C)0]=1)%>
declare %<a[$(%C)0]=1%>
declare %<a[$(%C)0]%>=1
declare -a %<x=([$(%C)0]=1)%>
typeset -i x=%<a[$(%C)]%>
%F() { local -i x=%<a[$(%C)]%>; }; %F
%F() { local %<a[$(%C)0]=1%>; }; %F
readonly %<a[$(%C)0]=1%>
export %<a[$(%C)0]=1%>
declare -A m; m[%<$(%C)%>]=1
declare -A m; x=%<$(%C)%>; unset "m[$x]"
declare -A m; x=%<$(%C)%>; ((m[$x]++))
declare -A m; x=%<$(%C)%>; [[ -v m[$x] ]]
declare -n r=%<a[$(%C)]%>; echo "$r"
declare -n r=%<a[$(%C)]%>; r=1
r=%<a[$(%C)]%>; echo "${!r}"
r=%<a[$(%C)]%>; echo "${!r:-x}"
let %<a[$(%C)]%>
let x=1 %<a[$(%C)]%>
let %<x = a[$(%C)]%>
builtin let %<a[$(%C)]%>
unset %<a[$(%C)]%>
unset -v %<a[$(%C)]%>
a=(1); unset %<a[$(%C)]%>
declare -A a=([x]=1); unset %<a[$(%C)]%>
read %<a[$(%C)]%> <<< x
read -r x %<a[$(%C)]%> <<< 'x y'
read -a a -p x %<a[$(%C)]%> <<< x
read -n 1 %<a[$(%C)]%> <<< x
wait -n -p %<a[$(%C)]%>
: & wait -p %<a[$(%C)]%> $!
getopts a %<b[$(%C)]%> -a
mapfile %<a[$(%C)]%> <<< x
exec {a[$(%C)0]}>f
: {a[$(%C)0]}>f
shift %<a[$(%C)]%>
return %<a[$(%C)]%>
ulimit -n %<a[$(%C)]%>
coproc a[$(%C)0] { :; }
x=%<$(%C)%>; echo "${x@P}"
x=%<`%B`%>; : ${x@P}
a=(%<$(%C)%>); echo "${a[0]@P}"
set -- %<$(%C)%>; echo "${1@P}"
x=%<$(%C)%>; echo "${x@Q}"; %C
x=%<$(%C)%>; echo "$x"; %C
"""

VARIABLES: Final = r"""
x=%N; $x %A
x=%p; $x
x=%p; eval "$x"
x=%p; eval $x
x=%Q; eval "$x"
x=%Q; sh -c "$x"
x=%Q; bash -c "$x"
x=%Q; bash <<< "$x"
x=%Q; echo "$x" | sh
x=%Q; . <(echo "$x")
x=%Q; trap "$x" EXIT
export x=%Q; sh -c 'eval "$x"'
x=%Q sh -c 'eval "$x"'
x=%N; "$x" %A
x=%N; ${x} %A
x=%N; ${x:-y} %A
x=%N; ${y:-$x} %A
x=x%N; ${x#x} %A
x=%N.x; ${x%.x} %A
x=m_ark; ${x/_/} %A
x=MARK; ${x,,} %A
x=xmark; ${x:1} %A
x=%N; ${x@L} %A
x=ma y=rk; $x$y %A
x=ma; ${x}rk %A
x=ark; m$x %A
y=x x=%N; ${!y} %A
declare -n r=x; x=%N; $r %A
declare x=%N; $x %A
export x=%N; $x %A
readonly x%F=%N; $x%F %A
%F() { local x=%N; $x %A; }; %F
printf -v x %s %N; $x %A
read x <<< %p; $x
read -r x y <<< %p; $x $y
read x <<%D@@%P@@%D@@$x
mapfile -t a <<< %N; ${a[0]} %A
mapfile -t a <<< %p; ${a[0]}
a=(%P); "${a[@]}"
a=(%P); ${a[*]}
a=(%P); $a
a[0]=%N; ${a[0]} %A
a=(x %N); ${a[1]} %A
a=(%N); a+=(hi); "${a[@]}"
declare -A m=([k]=%N); ${m[k]} %A
set -- %P; "$@"
set -- %P; $*
set -- %P; $1 $2
set -- x %P; shift; "$@"
set %P; "$@"
for x in %N; do $x %A; done
for x in %p; do $x; done
for x in %p; do eval "$x"; done
for x; do $x; done; for x in %N; do $x %A; done
case %N in m*) x=%N;; esac; $x %A
x=$(echo %N); $x %A
x=`echo %N`; $x %A
x=$(echo %p); $x
: ${x:=%N}; $x %A
: ${x=%N}; $x %A
: %N; $_ %A
echo %N >/dev/null; $_ %A
IFS=,; x=%N,hi; $x
IFS=_; x=%N_hi; $x
x='%N hi'; $x
x=(%P); IFS=' '; ${x[*]}
while read -r x; do $x; done <<< %p
while read -r x; do eval "$x"; done <<< %Q
while read -r x y; do $x $y; done <<< %p
echo %p | while read -r x; do $x; done
echo %p | { read -r x; $x; }
echo %p | (read -r x; eval "$x")
select x in %N; do $x %A; break; done <<< 1
getopts a x -a; %C
x=%N; unset x; x=%N; $x %A
if :; then x=%N; fi; $x %A
false || x=%N; $x %A
x=%N & wait; x=%N; $x %A
%F() { x=%N; }; %F; $x %A
eval x=%N; $x %A
%F() { "$@"; }; %F %S
%F() { $1 $2; }; %F %P
%F() { $*; }; %F %P
%F() { eval "$1"; }; %F %Q
%F() { eval "$@"; }; %F %Q
%F() { sh -c "$1"; }; %F %Q
%F() { local x=$1; $x; }; %F %p
%F() { shift; "$@"; }; %F x %S
%F() { set -- %P; "$@"; }; %F
%F() { for x; do $x; done; }; %F %p
%F() { echo "$1" | sh; }; %F %Q
%F() { bash; }; %F <<< %Q
%F() { echo %Q; }; %F | sh
%F() { echo %p; }; $(%F)
%F() { echo %p; }; eval "$(%F)"
%F() { %C; }; eval %F
%F() { %C; }; x=%F; $x
%F() { %C; }; export -f %F; bash -c %F
%F() { %C; }; export -f %F; env bash -c %F
%F() { %C; }; eval "$(declare -f %F)"; %F
%F() { %C; }; (%F)
%F() { %C; }; : $(%F)
%F() { %C; }; : | %F
%F() { %C; }; %F & wait
%F() { sh; }; echo %Q | %F
%F() { cat | sh; }; echo %Q | %F
%F() { . /dev/stdin; }; %F <<< %Q
%F() { eval "$(cat)"; }; %F <<< %Q
"$(echo %N)" %A
$(echo %P)
`echo %P`
$(printf '%s ' %P)
$(echo %P | cat)
$(cat <<< %p)
$(echo kram | rev) %A
$(echo znex | tr a-z n-za-m) %A
$(printf '\155ark') %A
$(echo bWFyaw== | base64 -d) %A
$(command -v mark) %A
$(which mark) %A
$(type -P mark) %A
"$HOME/bin/mark" %A
${HOME}/bin/mark %A
${PATH%%:*}/mark %A
"${PATH%%:*}"/m* %A
$BASH -c %Q
${BASH} -c %Q
"$BASH" <<< %Q
$UNSET%P
${SHELL:-sh} -c %Q
$0 -c %Q
"$0" -c %Q
"${BASH_SOURCE:-bash}" -c %Q
/proc/$$/exe -c %Q
/proc/self/exe --version; %C
$'\x6d'ark %A
~+/../bin/mark %A
cd . && ~-/../bin/mark %A
(cd ../bin; ./mark %A)
(cd ../bin && ./mark %A)
(cd ~/bin; ./mark %A)
(cd "$HOME/bin" && ./mark %A)
(cd ..; bin/mark %A)
(pushd ../bin; ./mark %A) >/dev/null
(CDPATH=..; cd bin; ./mark %A) >/dev/null
(cd /dev && bash stdin <<< %p)
(cd /; bash dev/stdin <<< %p)
(PATH=../bin; mark %A)
(PATH=~/bin mark %A)
(unset PATH; ~/bin/mark %A)
PS4=%<$(%P)%>; set -x; :
PS4=%<`%P`%>; set -o xtrace; :
PS4=%<$(%P)%> bash -xc :
PS4=%<$(%P)%> sh -xc :
export PS4=%<$(%P)%>; bash -x -c :
env PS4=%<$(%P)%> bash -xc :
env SHELLOPTS=xtrace PS4=%<$(%P)%> bash -c :
PS4=%<+%>; set -x; %C
BASH_ENV=<(echo %p) bash -c :
BASH_ENV=%<$(%P)%> bash -c :
export BASH_ENV=%<$(%P)%>; bash -c :
echo %p > e; BASH_ENV=e bash -c :
echo %p > e; export BASH_ENV=$PWD/e; bash -c :
echo %p > e; ENV=./e sh -i -c :
echo %p > e; env BASH_ENV=e bash -c :
ENV=%<$(%P)%> sh -ic :
ENV=%<$(%P)%> bash --posix -ic :
PROMPT_COMMAND=%p bash --norc -i <<< :
PS1=%<$(%P)%> bash --norc -i <<< :
PS0=%<$(%P)%> bash --norc -i <<< :
PS1=%<$(%P)%> sh -i <<< :
echo %p > e; bash --rcfile e -i -c :
echo %p > e; bash --init-file ./e -i <<< :
bash --rcfile <(echo %p) -ic :
env %<BASH_FUNC_ls%%=() { %P; }%> bash -c ls
env %<BASH_FUNC_echo%%=() { %P; }%> bash -c 'echo x'
env -S %<'BASH_FUNC_ls%%=() { %P; }' bash -c ls%>
GREP=%N; $GREP %A
EDITOR=%N; ${VISUAL:-$EDITOR} %A
SHELL=%N; $SHELL %A
"""

TABLES: Final[list[Form]] = [
    *forms("C", "builtins", EVALUATED),
    *forms("C", "subscripts", SUBSCRIPTS),
    *forms("C", "variables", VARIABLES),
]
