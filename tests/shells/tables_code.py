"""Forms in which text becomes commands: pipes into shells, files, interpreters.

Every way to write commands goes with every way to run what is read. Nothing here opens a network,
and nothing hands a command to a service that would run it later.
"""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

TOGETHER: Final = r"""
%I | %O
%I | %O
%I | %O
%I | %O
%I | { %O; }
%I | (%O)
%I |& %O
{ %I; } | { %O; }
%O < <(%I)
{ %O; } < <(%I)
%O <<< "$(%I)"
%O <<< $(%I)
(%O) <<< "$(%I)"
%O <<%D@@%H%D
%O <<'%D'@@%H%D
%O <<%D@@%h%D
%O <<%D@@$(%I)@@%D
%O <<-'%D'@@	%P@@	%D
%O <<"%D F"@@%H%D F
%O <<%D@@%N \@@%A@@%D
%O <<%D 3<<%DX@@%H%D@@x@@%DX
%O <<< %Q
%O 0<<< %Q
%O <<<%Q
(%O) <<%D@@%H%D
{ %O; } <<%D@@%H%D
{ :; %O; } <<< %Q
{ %O; } 2>/dev/null <<< %Q
if :; then %O; fi <<< %Q
for x in 1; do %O; done <<< %Q
while :; do %O; break; done <<< %Q
case x in x) %O ;; esac <<< %Q
%F() { %O; }; %F <<< %Q
%F() { %O; } <<< %Q; %F
%F() { %O; }; %I | %F
{ %O <&3; } 3<<< %Q
(%O <&3) 3<<%D@@%H%D
{ %O /dev/fd/3; } 3<<< %Q
exec 3<<< %Q; %O <&3
exec 3<<%D@@%H%D@@%O <&3
exec 3< <(%I); %O <&3
exec <<< %Q; %O
exec < <(%I); %O
{ exec <&3; %O; } 3<<< %Q
exec 4<<< %Q; exec 3<&4; sh <&3
exec 3<&0; %I | { %O; }
3<<< %Q sh <&3
sh 3<<< %Q <&3
<<< %Q sh
<<%D sh@@%H%D
< <(%I) sh
%I > >(%O)
%I > f; %O < f
%I > f; { %O; } < f
%I > f; sh f
%I > f; bash ./f
%I > f; . ./f
%I > f; source ./f
%I > f && . ./f
%I >| f; bash f x
%I >> f; sh f
%I &> f; sh f
%I | tee f; sh f
%I | tee f >/dev/null; . ./f
%I | tee -a f >/dev/null; bash f
%I | dd of=f 2>g; sh f
%I | cat > f; sh f
%I > f; chmod +x f; ./f
%I > f; chmod 755 ./f && ./f
%I > f; install -m 755 f g; ./g
%I > f; cp f g; sh g
%I > f; mv f g; sh g
%I > f; ln -s f g; sh g
%I > f; sh "$PWD/f"
%I > f; sh $PWD/f
%I > f; bash -c '. ./f'
%I > f; bash -c './f || sh f'
%I > f; env sh f
%I > f; nice bash f
%I > f; find . -name f -exec sh {} \;
%I > f; find . -type f -exec bash {} +
%I > f; ls f | xargs sh
%I > f; xargs -a f -d '\n' sh -c
%I > f; sh -s < f
%I > f; cat f | sh
%I > f; eval "$(cat f)"
%I > f; eval "$(<f)"
%I > f; bash -c "$(cat ./f)"
%I > f; x=$(<f); eval "$x"
%I > f; while read -r l; do eval "$l"; done < f
%I > f; mapfile -t a < f; ${a[0]}
%I > f; (PATH=.:$PATH; . f)
%I > f; exec 3< f; sh <&3
%I > f; bash --rcfile f -i -c :
%I > 'a b'; sh 'a b'
%I > f.sh; sh *.sh
%I > f; sh ?
%I > "$HOME/cwd/f"; sh f
mkdir d; %I > d/f; sh d/f
mkdir d; %I > d/f; (cd d; sh f)
mkdir d; (cd d; %I > f); sh d/f
x=f; %I > $x; sh $x
{ %I; } > f; sh f
(%I) > f; sh f
exec 3> f; %I >&3; sh f
cat > f <<%D@@%H%D@@sh f
cat > f <<'%D'; sh f@@%H%D
cat <<%D > f; . ./f@@%H%D
printf '#!/bin/sh\n%P\n' > f; chmod +x f; ./f
printf '#!/bin/sh\n%P\n' > f; chmod u+x f; PATH=.:$PATH f
printf '#!/bin/sh\n%P\n' > ls; chmod +x ls; PATH=.:$PATH; ls
printf 'x:\n\t%P\n' > Makefile; make
printf 'x:\n\t@%P\n' > f; make -f f x
printf 'x:\n\t%P\n' | make -f -
python3 -c 'open("f", "w").write("mark hi")'; sh f
mkfifo p; %I > p & sh p
mkfifo p; { %I > p & }; sh < p
cp ~/bin/mark m2; ./m2 %A
cp "$(command -v mark)" ./m2; ./m2 %A
ln -s ~/bin/mark m2; ./m2 %A
ln -sf "$HOME/bin/mark" m2 && ./m2 %A
ln -s ~/bin/mark ls; PATH=.:$PATH ls %A
ln -s ~/bin b; b/mark %A
ln -s ~/bin/mark m2; x=./m2; $x %A
ln -s /bin/sh s; ./s -c %Q
cp /bin/bash s; ./s -c %Q
cp /bin/sh s; %I | ./s
ln -s /bin/sh s; PATH=.:$PATH; s -c %Q
eval "$(%I)"
eval $(%I)
eval `%I`
eval -- "$(%I)"
x=$(%I); eval "$x"
x=`%I`; bash -c "$x"
sh -c "$(%I)"
bash -c "$(%I)" _ x
bash -c -- "$(%I)"
. <(%I)
source <(%I)
. /dev/stdin < <(%I)
bash <(%I)
bash -e <(%I) x
cat <(%I) | %O
%I | tee >(%O) >/dev/null
%I | tee >(cat) | %O
{ %I; } > >(%O)
%I | cat <(%O)
%I | : "$(%O)"
%I | x=$(%O)
%I | x=$(cat); %O <<< "$x"
%I | if :; then %O; fi
%I | while :; do %O; break; done
%I | for x in 1; do %O; done
%I | bash -c %<%O%>
%I | sh -c %<%O%>
%I | eval %<%O%>
%I | nice sh -c %<%O%>
coproc { %I; }; sh <&${COPROC[0]}
sh <<< x; %C
echo %Q | tee f | sh
echo %Q | sh &
sh <<%D@@%C@@%D
sh <<%D@@%H%D@@%C
bash <<%D@@%H%D@@
sh <<%DA 3<<%DB@@%P@@%DA@@:@@%DB
cat <<%D | sh@@%H%D
cat <<%D | sh@@%h%D
cat <<%D | bash -s x | cat@@%H%D
(cat <<%D@@%H%D@@) | sh
{ cat; } <<%D | sh@@%H%D
cat - <<%D | sh@@%H%D
echo %Q <<< x | sh
echo : | sh <<< %Q
echo %Q | sh <<< :
echo %Q | sh < /dev/null
sh < /dev/null; %C
"""

INTERPRETED: Final = r"""
awk %<BEGIN{system("%c")}%>
awk %<BEGIN{"%c" | getline}%>
awk %<BEGIN{print "x" | "%c"}%>
mawk %<BEGIN { system("%c") }%>
awk -v x=%p 'BEGIN{system(x)}'
awk '{system($0)}' <<< %Q
echo %Q | awk '{system($0)}'
awk 'BEGIN{system(ARGV[1])}' %p
echo %<BEGIN{system("%c")}%> > f; awk -f f
x=%p awk 'BEGIN{system(ENVIRON["x"])}'
sed %<1e %P%> /etc/hostname
sed -n %<1e %P%> <<< x
sed %<s/.*/%P/e%> <<< x
sed -e %<1e %P%> <<< x
sed --expression=%<1e %P%> <<< x
sed e <<< %p
echo %<1e %P%> > f; sed -f f <<< x
perl -e %<system("%l")%>
perl -e %<exec("%l")%>
perl -e %<print `%P`%>
perl -E %<system("%l")%>
perl -we %<system("%l")%>
perl -le %<open(F, "|-", "%l")%>
perl -ne %<system("%l")%> <<< x
perl -pe %<system("%l")%> <<< x
perl -e 'system(@ARGV)' %P
perl -e 'exec @ARGV' %P
perl <<< %<system("%l")%>
echo %<system("%l")%> | perl
echo %<system("%l")%> | perl -
perl /dev/stdin <<< %<system("%l")%>
perl <(echo %<system("%l")%>)
echo %<system("%l")%> > f; perl f
perl -MPOSIX -e %<system("%l")%>
PERL5OPT=-Mstrict perl -e %<system("%l")%>
python3 -c %<import os; os.system("%c")%>
python3 -Ic %<import os; os.system("%c")%>
python3 -ISc %<import os; os.system("%c")%>
python3 -c %<import subprocess as s; s.run("%c", shell=True)%>
python3 -c 'import os, sys; os.execvp(sys.argv[1], sys.argv[1:])' %P
python3 -c 'import sys; __import__("os").system(sys.argv[1])' %Q
python3 - <<< %<import os; os.system("%c")%>
python3 <<< %<import os; os.system("%c")%>
python3 <<'%D'@@import os@@os.system("%P")@@%D
echo %<import os; os.system("%c")%> | python3
echo %<import os; os.system("%c")%> | python3 -
echo %<import os; os.system("%c")%> > f; python3 f
python3 <(echo %<import os; os.system("%c")%>)
python3 -m timeit -n1 -r1 %<__import__("os").system("%c")%>
node -e %<require("child_process").execSync("%c")%>
node -p %<require("child_process").execSync("%c")%>
node <<< %<require("child_process").execSync("%c")%>
ruby -e %<system("%l")%>
php -r %<system("%l");%>
lua -e %<os.execute("%c")%>
tclsh <<< %<exec %P%>
echo %<exec %P%> > f; tclsh f
make -f <(printf 'x:\n\t%P\n')
make -f - <<< %<x:; %P%>
make -s -f - <<< %<$(shell %P)%>
make --eval=%<x:; %P%>
make --eval %<$(info $(shell %P))%> -f /dev/null
make -f - x="$(%C)" <<< x:
make SHELL="$HOME/bin/mark" -f - <<< 'x:; hi'
git -c alias.x=%<!%P%> x
git -c alias.x='!f() { %P; }; f' x
git init -q .; git -c core.fsmonitor=%p status
git init -q .; git config alias.x %<!%P%>; git x
git init -q; cd .git/hooks; cp ~/bin/mark pre-commit; git commit --allow-empty -m x
GIT_EXTERNAL_DIFF=%p git diff --no-index /dev/null /etc/hostname
git init -q .; GIT_EDITOR=%p git commit --allow-empty
git init -q .; git -c core.editor=%p commit --allow-empty
git init -q .; git rebase -x %p HEAD; %C
git init -q; cp ~/bin/mark pre-commit; git -c core.hooksPath=. commit --allow-empty -m x
tar -cf /dev/null --checkpoint=1 --checkpoint-action=exec=%p .
tar cf f --use-compress-program=%p .
tar -I %p -cf f .
tar cf f . 2>g; tar xf f --to-command=%p
echo x > f; zip -q g.zip f -T -TT %p
vim -es -c %<!%P%> -c q
vim -es +%<!%P%> +q
vim -es -c %<call system("%P")%> -c q
ex -s +%<!%P%> +q
ex -s -c %<!%P%> -c q <<< x
sqlite3 :memory: %<.shell %P%>
sqlite3 :memory: <<< %<.system %P%>
gdb -nx -batch -ex %<shell %P%>
gdb -nx -batch -ex %<!%P%>
bc <<< 1; %C
man -P %p ls
PAGER=%p man ls
MANPAGER=%p man ls
less f; %C
split --filter=%p <<< x
split -b 9 --filter=%<%P%> /etc/hostname
sort --compress-program=mark <<< x; %C
openssl version >/dev/null; %C
m4 <<< %<syscmd(`%P')%>
zsh -c %Q
ksh -c %Q
fish -c %p
tcsh -c %p
expect -c %<spawn %P%>
LESSOPEN=%<|%P %%s%> less f
TAR_OPTIONS=--checkpoint=1 tar cf f .; %C
"""

TABLES: Final[list[Form]] = [
    *forms("C", "streams", TOGETHER),
    *forms("C", "interpreters", INTERPRETED),
]
