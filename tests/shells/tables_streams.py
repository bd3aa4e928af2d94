"""Forms that write commands, and forms that run what they read; `tables_code.py` joins them."""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

WRITERS: Final = r"""
echo %Q
echo -n %Q
echo -e %p
echo -E %Q
echo %P
echo "%P"
echo %N %A
:; echo %Q
printf %p
printf '%s' %Q
printf '%s\n' %Q
printf -- '%s' %Q
printf '%s %s' %N hi
printf '%s ' %P
printf '%b' %p
printf "%P\n"
printf '\155\x61rk hi'
printf %q %N
printf '%s\n' : %Q
printf '%.99s\n' %Q
printf '%s\n%s\n' %Q :
cat <<%D@@%H%D
cat <<'%D'@@%H%D
cat <<%D@@%h%D
cat <<-%D@@	%P@@	%D
cat <<< %Q
cat - <<< %Q
cat /dev/stdin <<< %Q
cat < <(echo %Q)
cat <(echo %Q)
cat <(echo :) <(echo %Q)
tee f <<< %Q
tee <<< %Q
tee -a f g <<< %Q
%I | cat
%I | cat -
%I | cat -u
%I | tee f
%I | tee -a f
%I | tee /dev/null
%I | head -n 99
%I | head -99
%I | tail -n 99
%I | tac | tac
%I | sort -u
%I | uniq
%I | grep .
%I | grep -v '^$'
%I | sed ''
%I | sed s/x/x/
%I | sed -n p
%I | awk 1
%I | cut -c1-
%I | fold -w 999
%I | fmt -w 999
%I | tr a a
%I | tr -d '\r'
%I | rev | rev
%I | base64 | base64 -d
%I | base64 -w0 | base64 --decode
%I | base32 | base32 -d
%I | gzip | gunzip
%I | gzip -c | gzip -dc
%I | xz | xz -d
%I | xxd -p | xxd -r -p
%I | openssl base64 | openssl base64 -d
%I | dd status=none
%I | cat | cat
%I | { cat; }
%I | (cat)
%I | while read -r x; do echo "$x"; done
%I | command cat
%I | nice cat
%I | env cat
%I | stdbuf -oL cat
%I | sh -c cat
%I | xargs -d '\n' printf '%s\n'
%I | xargs echo
%I | paste
%I | nl -b n | cut -c8-
%I | pr -t -l 1
%I | expand
%I | column -t
%I | iconv -f utf-8 -t utf-8
%I | perl -pe 1
%I | python3 -c 'import sys; print(sys.stdin.read())'
%I | mapfile -t a; echo %Q
{ %I; }
(%I)
{ %I; } 2>/dev/null
: && %I
if :; then %I; fi
for x in 1; do %I; done
case x in x) %I ;; esac
x=$(%I); echo "$x"
x=%Q; echo "$x"
x=%Q; printf '%s\n' "$x"
x=%Q; cat <<< "$x"
eval 'echo %P'
sh -c 'echo %P'
bash -c 'echo "$1"' _ %Q
env echo %Q
command echo %Q
/bin/echo %Q
builtin printf '%s\n' %Q
nice echo %Q
timeout 5 echo %Q
env printf '%s\n' %Q
%F() { echo %Q; }; %F
%F() { echo "$1"; }; %F %Q
echo bWFyayBoaQ== | base64 -d
base64 -d <<< bWFyayBoaQ==
base64 -di <<< bWFyayBoaQ==
echo 6d61726b206869 | xxd -r -p
echo 'znex uv' | tr a-z n-za-m
rev <<< 'ih kram'
echo 'murk hi' | sed s/u/a/
echo 'MARK HI' | tr A-Z a-z
echo mark hi | tr ' ' ' '
echo mark,hi | tr , ' '
seq -f 'mark %g' 1
awk 'BEGIN{print "mark hi"}'
perl -e 'print "mark hi"'
python3 -c 'print("mark hi")'
jq -rn '"mark hi"'
yes %p | head -n 1
%I > f; cat f
%I > f; cat < f
%I > f; cat ./f
%I | tee f >/dev/null; cat f
echo x%p | cut -c2-
echo %p | awk '{print $0}'
echo x %P | cut -d' ' -f2-
find . -maxdepth 0 -printf 'mark hi\n'
date '+mark hi'
basename 'x/mark hi'
expr 'mark hi'
stat -c 'mark hi' .
ls -d 'mark hi' 2>f; echo %Q
dirname 'mark hi/x'
declare -f %F; echo %Q
type %F 2>f; echo %Q
"""

RUNNERS: Final = r"""
sh
bash
dash
sh -
bash -
sh -s
bash -s
bash -s x
sh -s - x
sh -e
bash -x
sh -es
bash -se
bash -o pipefail
bash --norc
bash --posix
sh --
sh /dev/stdin
bash /dev/stdin
bash /dev/fd/0
sh /proc/self/fd/0
sh /./dev/stdin
bash //dev/stdin
bash /tmp/../dev/stdin
bash -- /dev/stdin
bash -e /dev/stdin
. /dev/stdin
. //dev/stdin
. /dev/fd/0
source /dev/stdin
source -- /dev/stdin
command . /dev/stdin
builtin source /dev/stdin
eval "$(cat)"
eval "$(cat -)"
eval $(cat)
eval "`cat`"
eval "$(< /dev/stdin)"
eval "$(tee)"
eval "$(sed '')"
x=$(cat); eval "$x"
sh -c "$(cat)"
bash -c "$(cat)"
bash -c "$(< /dev/stdin)"
bash <(cat)
. <(cat)
source <(cat) x
sh <<< "$(cat)"
cat | sh
cat - | bash
tee f | sh
tee >(sh) >/dev/null
tee >(cat | sh) >/dev/null
cat > >(sh)
cat > f; sh f
cat > f; . ./f
cat > f; sh < f
tee f >/dev/null; bash f
(sh)
{ sh; }
{ :; sh; }
( :; bash )
if sh; then :; fi
if :; then sh; fi
while sh; do break; done
until bash; do break; done
for x in 1; do sh; done
case x in x) sh;; esac
! sh
time sh
sh && :
: && sh
: ; sh
sh; :
sh & wait
sh | cat
sh 2>&1 | cat
sh > f
sh 2>/dev/null
sh <&0
sh 0<&0
sh 3<&0
sh /dev/fd/3 3<&0
sh 3<&0 <&3
{ sh <&3; } 3<&0
exec 3<&0; sh <&3
exec 3<&0; sh /dev/fd/3
sh 3<<< :
bash -s 5<<< :
x=1 sh
exec sh
exec bash -s
command sh
command bash
\sh
'sh'
s\h
"ba"sh
$'sh'
/bin/sh
/bin/bash -s
../../../../../../bin/sh
$0
$BASH
${SHELL:-sh}
x=sh; $x
$(echo sh)
`which bash`
env sh
env -i PATH="$PATH" sh
env x=1 bash
env -S sh
env -S 'bash -s'
nice sh
nice -n 5 bash -s
nohup sh
timeout 5 sh
timeout --foreground 5 sh
stdbuf -oL sh
setsid sh
setsid -w bash
ionice -c 3 sh
flock . sh
flock . -c sh
taskset -c 0 sh
setarch -R sh
linux64 sh
prlimit --nofile=64 sh
choom -n 0 -- sh
setpriv sh
unshare sh
script -q /dev/null
script -qc sh /dev/null
chroot / env -C "$PWD" sh
/usr/bin/time sh
busybox sh
logsave /dev/null sh
strace -o /dev/null sh
bash -c sh
sh -c bash
sh -c 'sh'
sh -c 'cat | sh'
sh -c '. /dev/stdin'
sh -c 'eval "$(cat)"'
bash -c 'bash -s'
sh -c 'exec sh'
eval sh
eval 'sh -s'
eval eval sh
x=`sh`
x=$(sh)
: $(sh)
: "$(sh)"
: ${x:-$(sh)}
cat <(sh)
: <(sh)
for i in $(sh); do :; done
[[ $(sh) ]]
case $(sh) in *) ;; esac
a=($(sh))
echo $((1+$(sh)0))
cat <<%D@@$(sh)@@%D
%F() { sh; }; %F
%F() { bash -s; }; %F x
%F() { eval "$(cat)"; }; %F
%F() { . /dev/stdin; }; %F
function %F { sh; }; %F
%F() (sh); %F
alias x=sh@@x
shopt -s expand_aliases@@alias x=sh@@x
trap sh EXIT
(trap sh EXIT)
find . -maxdepth 0 -exec sh \;
find . -maxdepth 0 -exec bash -s \;
xargs -a /dev/null sh
xargs -d '\n' sh -c
xargs -0 sh -c
xargs -I{} sh -c {}
xargs -I% bash -c %
xargs -d '\n' -I% sh -c '%'
xargs -d '\n' -n 1 sh -c
xargs -d '\n' env -S
xargs env
xargs -0 -I% env sh -c %
while read -r l; do eval "$l"; done
while read -r l; do sh -c "$l"; done
while read -r l; do $l; done
while IFS= read -r l; do eval "$l"; done
read -r l; eval "$l"
{ read -r l; eval "$l"; }
read -r l; $l
read -rd '' l; eval "$l"
mapfile -t a; eval "${a[*]}"
mapfile -t a; ${a[0]}
mapfile -t a; for l in "${a[@]}"; do eval "$l"; done
mapfile -c 1 -C 'eval' a
readarray a; eval "${a[@]}"
perl -ne 'system($_)'
perl -e 'system(<STDIN>)'
perl -e 'exec "sh"'
perl -e 'system("sh")'
awk '{system($0)}'
awk '{print | "sh"}'
awk 'BEGIN{system("sh")}'
sed e
sed -n e
sed 's/^//e'
sed 'w /dev/stdout' | sh
python3 -c 'import os; os.system("sh")'
python3 -c 'import os, sys; os.system(sys.stdin.read())'
node -e 'require("child_process").execSync("sh", {stdio: "inherit"})'
make -f <(printf 'x:\n\tsh\n')
head -n 99 | sh
grep . | bash
env -S 'sh -c' 'cat | sh'
parallel
"""

TABLES: Final[list[Form]] = [
    *forms("I", "writers", WRITERS),
    *forms("O", "runners", RUNNERS),
]
