"""Forms of the shell's grammar: lists, compound commands, here-documents, redirections.

Source: the manuals of Bash 5.2 (sections 3.1 to 3.7) and dash 0.5.12, and texts that were met.
"""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

LISTS: Final = r"""
%C; :
:; %C
:@@%C
:@@@@	 %C
: && %C
false || %C
: || :; %C
%C; %C
%C && :
%C || :
! %C
! ! %C
%C & wait
: & %C
: & wait; %C
%C | cat
: | %C
: |& %C
%C |& cat
: | : | %C
time %C
time -p %C
time -- %C
time -p -- %C
! time %C
time ! %C
%C # x
# x@@%C
#@@%C
: # x@@%C
: a#; %C
: "x"#; %C
: $x#; %C
: ${x}#; %C
: $((1))#; %C
: \# ; %C
: <(:)#; %C
: x\@@#; %C
a=(x)#@@%C
:;#x@@%C
(:)#x@@%C
:\@@; %C
: \@@&& %C
: &&@@@@%C
: |@@@@cat; %C
: && # x@@%C
"""

COMPOUND: Final = r"""
{ %C; }
{@@%C@@}
(%C)
( (%C) )
( ( %C; ) )
{ { %C; }; }
if %C; then :; fi
if :; then %C; fi
if :@@then@@%C@@fi
if false; then :; else %C; fi
if false; then :; elif %C; then :; fi
if false; then :; elif :; then %C; fi
if ! { %C; }; then :; fi
while %C; do break; done
while :; do %C; break; done
until %C; do break; done
until false; do %C; break; done
for x in 1; do %C; done
for x in 1@@do@@%C@@done
for x@@in 1; do %C; done
for x in 1; { %C; }
set -- 1; for x; do %C; done
set -- 1; for x do %C; done
for x in $(%C); do :; done
for x in 1 2 3; do %C; break; done
for x in {1..1}; do %C; done
for ((i=0; i<1; i++)); do %C; done
for ((i=0; i<1; i++)) do %C; done
for ((i=0; i<1; i++)) { %C; }
for ((;;)); do %C; break; done
for ((i=$(%C)0; i<0; i++)); do :; done
for ((i=0; i<$(%C)0; i++)); do :; done
select x in a; do %C; break; done <<< 1
select x in a; { %C; break; } <<< 1
case x in x) %C;; esac
case x in x) %C; esac
case x in (x) %C;; esac
case x in y) ;; *) %C;; esac
case x in y|x) %C;; esac
case x in x) :;& y) %C;; esac
case x in x) :;;& *) %C;; esac
case x in@@x)@@%C@@;;@@esac
case x in "x") %C;; esac
case x in [a-z]) %C;; esac
case x in [!a]) %C;; esac
shopt -s extglob@@case x in @(x|y)) %C;; esac
case esac in (esac) %C;; esac
case $(%C) in *) ;; esac
case x in $(%C)x) ;; esac
case x in x) ;; esac; %C
case 'a)' in 'a)') %C;; esac
%F() { %C; }; %F
%F () { %C; } ; %F x
%F()@@{@@%C@@}@@%F
%F() (%C); %F
%F() if :; then %C; fi; %F
%F() while :; do %C; break; done; %F
%F() for x in 1; do %C; done; %F
%F() case x in *) %C;; esac; %F
%F() [[ $(%C) ]]; %F
%F() (( $(%C)1 )); %F
%F() { %C; } >/dev/null; %F
%F() { :; }; %C
function %F { %C; }; %F
function %F() { %C; }; %F
function %F (%C); %F
function %F ( ) { %C; }; %F
function a.b { %C; }; a.b
function a-%F { %C; }; a-%F
function %F@@{ %C; }@@%F
unset() { %C; }; unset
ls() { %C; }; ls
echo() { %C; }; echo x
cd() { %C; }; cd x
command_not_found_handle() { %P; }; nosuchprogram
coproc %S; wait
coproc { %C; }; wait
coproc X { %C; }; wait
coproc (%C); wait
coproc if :; then %C; fi; wait
[[ $(%C) ]]
[[ -n $(%C) && x ]]
[[ x == $(%C) ]]
[[ x =~ $(%C) ]]
[[ -e <(%C) ]]
[[ x ]] && %C
[[ ! -e x ]] && %C
[[ ( x ) ]] && %C
[[ x == @(x|y) ]] && %C
[[ x =~ (x|y) ]] && %C
[[ x =~ ^[a-z]+$ ]] && %C
[[ x =~ ' ' ]] || %C
[[ "x" < "y" ]] && %C
[[ x &&@@y ]] && %C
[[ x || %P ]]
[[ x || %P
[[ x ; %P ; : ]]
[[ x && (y) ]]; %C
[ x ] && %C
[ "$(%C)" ]
(( $(%C)0 ))
((1)) && %C
((1 < 2)); %C
((1 << 2)); %C
((x=1)) ; %C
((%P))
((%P *))
((%P ~))
((%P 1))
((%P = 1))
((%N))
((%P) )
((%P); :)
((%P); (%P))
(( (%P) ))
((: ); %P)
((%P@@))
{ %C; } 2>&1 | cat
"""

HEREDOCS: Final = r"""
cat <<%D@@x@@%D@@%C
cat <<%D; %C
cat <<%D@@$(%C)@@%D
cat <<%D@@x `%B` y@@%D
cat <<%D@@${x:-$(%C)}@@%D
cat <<%D@@$((1+$(%C)0))@@%D
cat <<%D@@"$(%C)"@@%D
cat <<%D@@'$(%C)'@@%D
cat <<%D@@\\$(%C)@@%D
cat <<%D@@\$(x)@@%D@@%C
cat <<%D@@# $(%C)@@%D
cat <<'%D'@@$(x)@@%D@@%C
cat <<"%D"@@$(x)@@%D@@%C
cat <<\%D@@$(x)@@%D@@%C
cat <<$'%D'@@$(x)@@%D@@%C
cat <<'%D F'@@x@@%D F@@%C
cat <<'%D'F@@x@@%DF@@%C
cat <<""@@x@@@@%C
cat <<-%D@@	x@@	%D@@%C
cat <<-%D@@		$(%C)@@	%D
cat <<-'%D'@@	x@@		%D@@%C
cat << %D@@x@@%D@@%C
cat <<\@@%D@@x@@%D@@%C
cat <<%D @@x@@%D@@%C
cat 0<<%D@@x@@%D@@%C
cat <<%D <<%DX@@x@@%D@@$(%C)@@%DX
cat <<%D <<'%DX'@@x@@%D@@y@@%DX@@%C
cat <<%D | cat@@x@@%D@@%C
cat <<%D && %P@@x@@%D
cat <<%D; %P@@x@@%D
cat <<%D & %P@@x@@%D
cat <<%D || :@@x@@%D@@%C
%P <<%D@@x@@%D
%P <<%D@@x
{ cat; %P; } <<%D@@x@@%D
(%P) <<%D@@x@@%D
%F() { cat; } <<%D@@$(%C)@@%D@@%F
cat <<%D@@x\@@%D@@%D@@%C
cat <<'%D'@@x\@@%D@@%C
cat <<%D@@%D\@@X@@%D@@%C
cat <<%DOF@@x@@%DO\@@F@@%C
cat <<%D@@ %D@@%D@@%C
cat <<%D@@%D @@%D@@%C
(cat <<%D@@x@@%D@@); %C
: $(cat <<%D@@x@@%D@@); %C
: $(cat <<%D@@$(%C)@@%D@@)
: "$(cat <<%D@@it's@@%D@@)"; %C
: "$(cat <<'%D'@@"@@%D@@)"; %C
: $(cat <<%D@@)@@%D@@); %C
: `cat <<%D@@x@@%D@@`; %C
cat <<%D $(cat <<%DX@@%DX@@%P@@%D@@%DX@@)@@%D
cat <<"$(x)"@@a@@$(x)@@%C
cat <<$x@@a@@$x@@%C
cat <<%D$(x)@@a@@%D$(x)@@%C
cat <<%D`x`@@a@@%D`x`@@%C
cat <<${x}@@a@@${x}@@%C
cat <<!@@a@@!@@%C
cat <<%D#@@a@@%D#@@%C
cat <<{a,b}@@a@@{a,b}@@%C
cat <<~@@a@@~@@%C
cat <<%D>/dev/null@@x@@%D@@%C
cat <<%D;#x@@x@@%D@@%C
if cat <<%D@@x@@%D@@then %C; fi
for x in 1; do cat <<%D@@x@@%D@@%C; done
case x in x) cat <<%D@@x@@%D@@%C;; esac
cat <<< x; %C
cat <<<x; %C
cat <<<%D@@%C
cat <<< '%D'@@%C
cat <<< "a@@b"; %C
: $((1<<2)); %C
: $((1 << 2@@)); %C
"""

REDIRECTED: Final = r"""
>/dev/null %S
> /dev/null %S
2>&1 %S
</dev/null %S
<<<x %S
<<< 'a b' %S
{fd}</dev/null %S
{fd}>f %S
3>f %S
%S >/dev/null
%S &>/dev/null
%S &>>f
%S >&f
%S >f
%S >>f
%S >|f
%S <>f
%S 2>f
%S 2>&1
%S 2>&-
%S <&-
%S 3<&0
%S 3<&0-
%S >f 2>&1 </dev/null
%S <<< x
{ %C; } >f
(%C) 2>/dev/null
if :; then %C; fi >f
%N >f %A
%N </dev/null %A
%N 2>&1 %A
%N {fd}>f %A
>f; %C
x=1 >f %S
>f x=1 %S
>f >g %S
2>f %S
2 >f; %C
: 2>f; %C
%S 2>/dev/null | cat
exec 3>f; %C
exec 3>&1; %S >&3
exec 2>f; %C
"""

ASSIGNED: Final = r"""
x=1 %S
x= %S
x=1 y=2 %S
x+=1 %S
a[0]=x %S
a[0]+=x %S
a=(x) %S
a=() %S
x='a b' %S
x="$u" %S
x=a\ b %S
x=$'a' %S
x={a,b} %S
x=~ %S
x=* %S
x=a:b=c %S
PATH="$PATH" %S
PATH=$PATH:. %S
LC_ALL=C %S
x=1; %C
x\=1; %C
1x=1; %C
x =1; %C
"x"=1; %C
$x=1; %C
x=(a@@b)@@%C
x=(a # b@@c); %C
declare x=1; %C
"""

TABLES: Final[list[Form]] = [
    *forms("C", "lists", LISTS),
    *forms("C", "compound", COMPOUND),
    *forms("C", "here-documents", HEREDOCS),
    *forms("C", "redirections", REDIRECTED),
    *forms("C", "assignments", ASSIGNED),
]
