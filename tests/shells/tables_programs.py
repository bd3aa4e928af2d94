"""Forms in which programs start commands: shells, wrappers, `find`, `xargs`, interpreters.

Source: the manual pages of coreutils 9.1, util-linux 2.38, findutils 4.9, and of the programs. A
program that is not installed starts nothing. Forms that leave the folder have plain parts.
"""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

SHELLS: Final = r"""
sh -c %Q
bash -c %Q
dash -c %Q
sh -c -- %Q
bash -c -- %Q
sh -ec %Q
sh -uc %Q
sh -c -e %Q
sh -e -c %Q
sh +e -c %Q
bash -oc pipefail %Q
bash -o pipefail -c %Q
bash -euo pipefail -c %Q
bash -ceuo pipefail %Q
bash -O extglob -c %Q
bash +O extglob -c %Q
bash -cO extglob %Q
bash --norc -c %Q
bash --noprofile --norc -c %Q
bash --posix -c %Q
bash --rcfile /dev/null -c %Q
bash --init-file /dev/null -c %Q
bash -xc %Q
bash -vc %Q
bash -rc %p
bash -pc %Q
bash -hBc %Q
bash -kc %Q
bash -Dc %Q
bash -nc %Q
rbash -c %p
/bin/sh -c %Q
/bin//sh -c %Q
/bin/../bin/sh -c %Q
/usr/bin/env sh -c %Q
sh -c %Q x
sh -c %Q _ x y
sh -c '$0 %A' %N
sh -c '$1 %A' _ %N
sh -c '"$@"' _ %P
sh -c '$*' _ %P
sh -c '"$0" "$@"' %P
sh -c '$0' %p
sh -c 'eval "$1"' _ %Q
sh -c 'eval "$*"' _ %P
sh -c 'eval "$0"' %Q
sh -c 'exec "$@"' _ %X
sh -c 'shift; "$@"' _ x %P
sh -c 'sh -c "$1"' _ %Q
sh -c 'for x; do $x; done' _ %p
sh -c 'set -- %P; "$@"'
bash -c '%<%P%>'
bash -c "$'%N' %A"
bash -c '${1} %A' _ %N
bash -c '${@}' _ %P
bash -c '${@:1}' _ %P
bash -c '"${@:2}"' _ x %P
bash -c '. "$1"' _ <(echo %p)
bash -c 'bash -c "$0"' %Q
bash -s <<< %Q
sh -s x <<%D@@%H%D
bash -c 'f() { "$@"; }; f %P'
bash -c "%P" bash
bash -c :@@%C
bash --version; %C
bash --help >/dev/null; %C
"""

WRAPPERS: Final = r"""
nice %X
nice -5 %X
nice -n 5 %X
nice -n5 %X
nice --5 %X
nice -n -1 %X
nice --adjustment=5 %X
nice --adjustment 5 %X
nice --adj 5 %X
nice --a=5 %X
nice -- %X
nice -n 5 -- %X
nice -5 -n 3 %X
nohup %X
nohup -- %X
timeout 5 %X
timeout 5s %X
timeout 0.1m %X
timeout -s9 5 %X
timeout -s KILL 5 %X
timeout --signal=9 5 %X
timeout --sig 9 5 %X
timeout --s=9 5 %X
timeout -k 1 5 %X
timeout -k1 5 %X
timeout --kill-after=1 5 %X
timeout --kill 1 5 %X
timeout --foreground 5 %X
timeout --fore 5 %X
timeout --preserve-status 5 %X
timeout -v 5 %X
timeout -vk 1 5 %X
timeout -- 5 %X
stdbuf -oL %X
stdbuf -o L %X
stdbuf --output L %X
stdbuf --output=L %X
stdbuf --out L %X
stdbuf -i0 -o0 -e0 %X
stdbuf -oL -- %X
setsid %X
setsid -w %X
setsid --wait %X
setsid -f %X
setsid -fw %X
setsid --fork %X
setsid --w %X
setsid -- %X
ionice %X
ionice -c 3 %X
ionice -c3 %X
ionice -c 2 -n 7 %X
ionice -t -c 3 %X
ionice --class 3 %X
ionice --class=idle %X
ionice --cla 3 %X
flock . %X
flock . -c %Q
flock f -c %Q
flock -x . %X
flock -n . %X
flock -w 1 . %X
flock --timeout 1 . %X
flock -E 3 . %X
flock -o . %X
flock -x f sh -c %Q
flock -F . %X
(flock 9; %C) 9>f
taskset 1 %X
taskset -c 0 %X
taskset --cpu-list 0 %X
chrt -o 0 %X
chrt --other 0 %X
chrt -b 0 %X
setarch -R %X
setarch x86_64 %X
setarch x86_64 -R %X
setarch --addr-no-randomize %X
linux64 %X
linux64 -R %X
x86_64 %X
linux32 %X
i386 %X
prlimit --nofile=64 %X
prlimit -n64 %X
prlimit -n=64 %X
prlimit --core=0 --nofile=64 %X
choom -n 0 %X
choom --adjust 0 %X
choom -n 0 -- %X
setpriv %X
setpriv --no-new-privs %X
setpriv --nnp %X
setpriv --reset-env %P
setpriv --inh-caps=-all %X
env %X
env x=1 %X
env x=1 y='a b' %X
env -i PATH="$PATH" %X
env - PATH="$PATH" %X
env -i - PATH="$PATH" %X
env -iu x PATH="$PATH" %X
env --ignore-environment PATH="$PATH" %X
env --ign PATH="$PATH" %X
env -u x %X
env -ux %X
env --unset=x %X
env --unset x %X
env --uns x %X
env -C . %X
env -C. %X
env --chdir=. %X
env --chd . %X
env --default-signal %X
env --default-signal=INT %X
env --ignore-signal=PIPE %X
env --block-signal=INT %X
env --block-signal %X
env --list-signal-handling %X
env -v %X
env --debug %X
env -vu x %X
env -- %X
env -- x=1 %X
env env %X
env PATH=../bin %P
env -S %p
env -S%p
env -S %<%N\_%A%>
env -S %<%N\t%A%>
env -S %<%N\n%A%>
env -S %<%N '%A'%>
env -S %<"%N" %A%>
env -S %<'%N' %A%>
env -S %<%N %A \c x%>
env -S %<%N %A # x%>
env -S %<  %P%>
env -S %<x=1 %P%>
env -S %<-u x %P%>
env -S %<-v %P%>
env -S %<-i PATH=../bin %P%>
env -S %<-S '%P'%>
env -S %N %A
env -S %N -- %A
env -S %<%N%> %A
env -S 'sh -c' %Q
env -S %<sh -c '%P'%>
env -S %<sh -c "%P"%>
env -S 'nice' %X
env -vS %p
env -iS %<PATH=../bin %P%>
env -uxS %p
env -u x -S %p
env --split-string %p
env --split-string=%p
env --split %p
env --s=%p
X=%N env -S '${X} %A'
X=mark env -S '${X}'
env -S x=1 %X
env '-S%P'
env "-S %P"
script -qc %Q /dev/null
script -q -c %Q /dev/null
script -qec %Q /dev/null
script -c %Q f
script --quiet --command %Q /dev/null
script -q --command=%Q /dev/null
script -qc%p /dev/null
script -q /dev/null -c %Q
script -q -O /dev/null -c %Q
script -q /dev/null <<< %Q
echo %Q | script -q /dev/null
timeout 0.3 watch -n 0.2 %<%P%>
timeout 0.2 watch -t -x %P
/usr/bin/time %X
\time %X
command time %X
/usr/bin/time -p %X
/usr/bin/time -v %X
/usr/bin/time -f %e %X
/usr/bin/time -o f %X
/usr/bin/time --format=%e %X
env time %X
busybox sh -c %Q
busybox nice %X
chroot / %P
chroot / sh -c %p
chroot --userspec=0:0 / %P
chroot --skip-chdir / %P
chroot / ~/bin/%P
chroot / "$PWD/../bin/mark" %A
chroot / <<< "$PWD/../bin/%P"
chroot / sh <<< "$PWD/../bin/%P"
unshare -r %P
unshare -rm %P
unshare --map-root-user %P
unshare --fork -r %P
unshare -rf --wd=. %P
unshare %X
unshare -r sh -c %p
unshare -r <<< "../bin/%P"
linux64 <<< "../bin/%P"
setarch x86_64 <<< "../bin/%P"
echo "../bin/%P" | linux64
unshare -r -- %P
SHELL=/bin/bash unshare -r <<< "../bin/%P"
nsenter -t $$ -U %P
nsenter --target=$$ -p %P
nsenter %P
nsenter --help >/dev/null; %C
capsh -- -c %p
capsh --print -- -c %p
capsh --shell=/bin/sh -- -c %p
capsh == -c %p
runuser root -c %<../bin/%P%>
runuser -u root -- %P
start-stop-daemon --start --exec /bin/sh -- -c %Q
start-stop-daemon -S -x /bin/sh -- -c %Q
start-stop-daemon -Sqn x -a /bin/sh -- -c %Q
start-stop-daemon -S -n x --startas "$HOME/bin/mark" -- %A
mkdir d; ln -s ~/bin/mark d/mark; run-parts d
mkdir d; ln -s ~/bin/mark d/mark; run-parts -a hi d
mkdir d; ln -s ~/bin/mark d/mark; run-parts --arg=hi ./d
mkdir d; ln -s ~/bin/mark d/x; run-parts --exit-on-error -- d
logsave /dev/null %X
logsave -a f %X
logsave -s - %X
strace -o /dev/null %X
strace -qfo /dev/null %X
strace -e trace=none -o f %X
fakeroot %X
faketime 0 %X
xvfb-run %X
dumb-init %X
tini %X
tini -- %X
eatmydata %X
cpulimit -l 50 %X
cpulimit -l 50 -- %X
unbuffer %X
rlwrap %X
parallel %X ::: x
parallel ::: %p
parallel %<%N {}%> ::: hi
sem %X
chronic %X
ts | %X
pee %p <<< x
ifne %X <<< x
/lib64/ld-linux-x86-64.so.2 /bin/sh -c %Q
/lib64/ld-linux-x86-64.so.2 --argv0 x /bin/sh -c %Q
ld.so /bin/sh -c %Q
"""

FINDS: Final = r"""
find . -maxdepth 0 -exec %X \;
find . -maxdepth 0 -exec %X ';'
find . -maxdepth 0 -exec %X {} \;
find . -maxdepth 0 -exec %X {} +
find . -maxdepth 0 -exec %N {} %A \;
find . -maxdepth 0 -exec %N x{}y \;
find . -maxdepth 0 -exec %N + \;
find . -maxdepth 0 -exec %N ';' -exec %N b \;
find . -maxdepth 0 -exec : \; -o -exec %X \;
find . -maxdepth 0 -exec true \; -exec %X \;
find . -maxdepth 0 -execdir %P \;
find . -maxdepth 0 -execdir %P {} +
find . -maxdepth 0 -ok %X \; <<< y
find . -maxdepth 0 -okdir %P \; <<< y
echo y | find . -maxdepth 0 -ok %X \;
find . -maxdepth 0 -exec sh -c %Q \;
find . -maxdepth 0 -exec sh -c %Q _ {} \;
find . -maxdepth 0 -exec sh -c %Q _ {} +
find . -maxdepth 0 -exec sh -c '"$@"' _ %P \;
find . -maxdepth 0 \( -exec %X \; \)
find . -maxdepth 0 ! -exec %X \;
find . -maxdepth 0 -name . -exec %X "{}" \;
find . -maxdepth 0 -exec %X \; -quit
find . -maxdepth 0 -exec %X ";"
find . -maxdepth 0 -exec %X $';'
find . -maxdepth 0 -exec env %X {} \;
find -maxdepth 0 -exec %X \;
find -L . -maxdepth 0 -exec %X \;
find . -maxdepth 0 -printf '%P\n' -exec %X \;
find ~/bin -name mark -exec {} %A \;
find ../bin -name 'm*k' -exec {} \;
find ../bin -name mark -exec sh -c '"$0" hi' {} \;
find ../bin -name mark -exec env {} %A \;
find . -maxdepth 0 -fprint f -exec %X \;
find . -maxdepth 0 -exec {} \; ; %C
"""

XARGS: Final = r"""
xargs %X <<< hi
echo hi | xargs %X
echo hi | xargs -- %X
echo 'a b' | xargs -n 1 %X
echo 'a b' | xargs -n1 %X
echo 'a b' | xargs --max-args=1 %X
echo 'a b' | xargs --max-args 1 %X
echo 'a b' | xargs --max-a 1 %X
echo 'a b' | xargs -n2 %X
printf 'a\nb\n' | xargs -L1 %X
printf 'a\nb\n' | xargs -L 1 %X
printf 'a\nb\n' | xargs -l %X
printf 'a\nb\n' | xargs -l1 %X
printf 'a\nb\n' | xargs --max-lines %X
printf 'a\nb\n' | xargs --max-lines=1 %X
printf 'a\nb\n' | xargs -I{} %N {} %A
printf 'a\nb\n' | xargs -I {} %N {}
printf 'a\nb\n' | xargs -I% %N %
printf 'a\nb\n' | xargs -I% %N x%y%
printf 'a\nb\n' | xargs -i %N {}
printf 'a\nb\n' | xargs -i% %N %
printf 'a\nb\n' | xargs --replace %N {}
printf 'a\nb\n' | xargs --replace=@ %N @
printf 'a\nb\n' | xargs --rep=@ %N @
printf 'a b\nc\n' | xargs -I {} sh -c '%N {}'
printf 'a,b' | xargs -d, %X
printf 'a,b' | xargs -d , %X
printf 'a,b' | xargs --delimiter=, %X
printf 'a,b' | xargs --delim , %X
printf 'a b\nc' | xargs -d '\n' %X
printf 'a b\nc' | xargs -d '\n' -n 1 %X
printf 'a\0b' | xargs -0 %X
printf 'a\0b' | xargs --null %X
printf 'a\0b' | xargs -0rn1 %X
printf 'a\0b' | xargs -r0 -n 1 -P 2 %X
echo hi | xargs -n1 -P1 %X
echo hi | xargs -P 2 %X
echo hi | xargs --max-procs=1 %X
echo hi | xargs -s 1000 %X
echo hi | xargs -r %X
echo hi | xargs -t %X
echo hi | xargs -x -n 1 %X
echo hi | xargs --verbose %X
echo hi | xargs --no-run-if-empty %X
echo hi | xargs --no-run %X
echo hi | xargs -o %X
echo hi | xargs -E x %X
echo hi | xargs -Ex %X
echo hi | xargs -e %X
echo hi | xargs -ex %X
echo hi | xargs --eof=x %X
echo hi | xargs --process-slot-var=X %X
echo hi | xargs --process-slot-var X %X
echo hi | xargs --show-limits %X
echo hi > f; xargs -a f %X
echo hi > f; xargs --arg-file=f %X
echo hi > f; xargs %X < f
xargs -a /dev/null %X
xargs -r %X < /dev/null; %C
xargs -a <(echo hi) %X
xargs %X < /dev/null
: | xargs %X
xargs <<< hi; %C
echo "'a b' c" | xargs %X
echo '"a b" c' | xargs %X
echo 'a\ b' | xargs %X
printf 'a\n\n b \n' | xargs %X
xargs sh -c %Q <<< x
xargs sh -c %Q _ <<< x
xargs -I% sh -c %Q <<< x
xargs -n1 sh -c '%N "$0"' <<< hi
xargs sh -c '%N "$@"' _ <<< 'a b'
xargs env <<< %p
echo %P | xargs env
echo %P | xargs nice
echo %P | xargs -n9 env
echo %P | xargs nice -n 5
echo %P | xargs timeout 5
echo %A %N | xargs sh -c '$1 $0'
echo %P | xargs sh -c '"$0" "$@"'
echo %P | xargs -I% sh -c %
echo %P | xargs -I% sh -c 'eval "%"'
echo %Q | xargs -d '\n' sh -c
printf %s %Q | xargs -0 sh -c
printf %s %Q | xargs -0 bash -c
printf %s %Q | xargs -0I% sh -c %
echo hi | xargs -I% %N % %A
echo hi | xargs -I{} nice %N {}
echo hi | xargs -I% env x=% %X
echo %P | xargs xargs -a /dev/null
echo hi | xargs xargs %X
echo hi | xargs nice -n 5 %X
echo hi | xargs env x=1 %X
echo . | xargs -I% find % -maxdepth 0 -exec %X \;
echo 0 | xargs -I% nice -n % %X
seq 2 | xargs %X
seq 2 | xargs -n 1 %X
ls .. | xargs %X
yes a | head -n 2 | xargs %X
"""

TABLES: Final[list[Form]] = [
    *forms("X", "shells", SHELLS),
    *forms("X", "wrappers", WRAPPERS),
    *forms("X", "find", FINDS),
    *forms("X", "xargs", XARGS),
]
