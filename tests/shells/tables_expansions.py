"""Forms in which an expansion runs commands, or stands before one that runs.

Source: the manual of Bash 5.2 (section 3.5), and texts that were met.
"""

from __future__ import annotations

from typing import Final

from .forms import Form, forms

EXPANSIONS: Final = r"""
: $(%C)
: "$(%C)"
: x$(%C)y
: $( %C )
: $(@@%C@@)
: $(: $(%C))
: $(: "$(%C)")
: "$(: "$(%C)")"
: $((%C) )
: $( (%C) )
: $( (%C); : )
: $({ %C; })
: $(: ')'; %C)
: $(: \); %C)
: $(: # )@@%C)
: $(case x in x) %C;; esac)
: $(case x in (x) %C;; esac)
: `%B`
: `:; %B`
: "`:`"; %C
: x`%B`y
: ${ %C; }
: ${| %C; }
: $((1+$(%C)0))
: $(($(%C)0))
: $(( ($(%C)0) ))
: $((1+`%B`0))
: $[1+$(%C)0]
: $[`%B`0]
: "$((1+$(%C)0))"
: ${x:-$(%C)}
: ${x-$(%C)}
: "${x:-$(%C)}"
: "${x-"$(%C)"}"
: ${x:-`%B`}
: ${x:=$(%C)}
: ${x=$(%C)}
: ${PATH:+$(%C)}
: ${PATH+$(%C)}
: ${PATH#$(%C)}
: ${PATH##$(%C)}
: ${PATH%$(%C)}
: ${PATH%%$(%C)}
: "${PATH%"$(%C)"}"
: ${PATH/$(%C)/y}
: ${PATH/x/$(%C)}
: ${PATH//x/$(%C)}
: ${PATH//b/$(%C)}
: ${PATH/#$(%C)/y}
: ${PATH/%$(%C)/y}
: ${PATH:$(%C)0}
: ${PATH:0:$(%C)0}
: ${PATH: $(%C)0 : 1}
: ${PATH^$(%C)}
: ${PATH^^$(%C)}
: ${PATH,$(%C)}
: ${PATH,,$(%C)}
: ${PATH~$(%C)}
: ${x[$(%C)0]}
: "${x[$(%C)0]}"
: ${#x[$(%C)0]}
: ${x[`%B`0]}
: ${x[0]:-$(%C)}
: ${@:$(%C)0}
: ${1:-$(%C)}
: ${10:-$(%C)}
: ${*:-$(%C)}
: ${x:-${y:-$(%C)}}
: ${x:-<(%C)}
: ${x:->(%C)}
: ${x:=<(%C)}
: ${x:-'}'}; %C
: ${x:-\}}; %C
: "${x:-"}"}"; %C
: ${#x}; %C
: $#; %C
: $$; %C
: $'a\'b'; %C
: $"a"; %C
: $"$(%C)"
: $'$(x)'; %C
: '$(x)'; %C
: "\$(x)"; %C
: "a'b"; %C; : "c'd"
: 'a"b'; %C; : 'c"d'
: \"; %C; : \"
: \'; %C; : \'
: '\'; %C
: "\\"; %C
: $'\'; %P #'
: $'\\'; %C
: $'a' 'b'; %C
: "$'"; %C; : "'"
: {a,b}; %C
: {a,b; %C
: a{b; %C
: }; %C
: a}; %C
: {1..3}; %C
: *; %C
: ~; %C
shopt -s extglob@@: @(a|b); %C
shopt -s extglob@@: !(a); %C
shopt -s extglob@@: !(a|$(%C))
: [$(%C)]
: {a,$(%C)}
: {$(%C)..3}
: ~$(%C)
a=($(%C))
a=(x "$(%C)")
a=(@@x@@$(%C)@@)
a+=($(%C))
a=([$(%C)0]=x)
a=([0]=$(%C))
declare -A m=([$(%C)k]=x)
declare -A m; m[$(%C)k]=x
a[$(%C)0]=1
a[0]=$(%C)
a[$(%C)0]+=1
a["$(%C)0"]=1
a[`%B`0]=1
x=$(%C)
x="$(%C)"
x=`%B`
x+=$(%C)
x=1 y=$(%C)
x=$(%C) :
x=a$(%C)b
x=<(%C)
x=~$(%C)
x=${x:-$(%C)}
x=$((1+$(%C)0))
export x=$(%C)
export x="$(%C)"
readonly x%F=$(%C)
declare x=$(%C)
declare a=($(%C))
declare -a a=($(%C))
typeset x=$(%C)
%F() { local x=$(%C); }; %F
%F() { local a=($(%C)); }; %F
cat <(%C)
: <(%C)
: <(%C) <(%C)
: >(%C)
: x<(%C)
: "<(x)"; %C
: > >(%C)
cat < <(%C)
: < <(%C)
: 2> >(%C)
a=(<(%C))
for i in <(%C); do :; done
case <(%C) in *) ;; esac
mapfile -t a < <(%C)
read -r x < <(%C)
exec 3< <(%C)
while read -r x; do :; done < <(%C)
{ :; } > >(%C)
(:) < <(%C)
%F() { :; } < <(%C); %F
echo $(< <(%C))
: < $(%C)/dev/null
: > $(%C)/dev/null
: > "$(%C)/dev/null"
: 2>&$(%C)1
: <<< $(%C)
: <<< "$(%C)"
: <<< `%B`
: <<< x$(%C)
{ :; } <<< $(%C)
for x in 1; do :; done > /dev/null$(%C)
if :; then :; fi < /dev/null$(%C)
[[ x ]] < /dev/null$(%C)
((1)) > /dev/null$(%C)
"""

TABLES: Final[list[Form]] = forms("C", "expansions", EXPANSIONS)
