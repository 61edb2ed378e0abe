"""Small pieces of Jinja, one idea each, for the Java renderer to agree with jinja2 on."""

VARIABLES = {
    "s": "Hello World", "pad": "  pad\n", "uni": "straße 東京 🙂", "empty": "", "n": 7, "neg": -7, "f": 2.5, "big": 10**20, "t": True, "no": False,
    "none": None, "xs": [3, 1, 2], "names": ["bob", "Alice", "carol", "Bob"], "nested": [[1, 2], [3]],
    "d": {"b": 1, "a": [1, {"x": None}], "C": "é"}, "rows": [{"role": "user", "n": 2}, {"role": "tool", "n": 1}, {"role": "user"}],
    "mixed": [1, "1", 1.0, True, None, "x"], "deep": {"a": {"b": {"c": 5}}}, "items": {"keys": 1}, "html": "<a> & \"b\" 'c'",
}

EXPRESSIONS = r"""
s
none
t
no
f
big
xs
d
mixed
nested
missing
missing.x
none.x
none['x']
s.missing
xs[5]
xs[-1]
xs[0:2]
xs[::-1]
xs[1:]
xs[:-1]
s[1:5]
s[::-1]
s[::2]
uni[0]
uni[-1]
uni[7:10]
uni | length
1 + 2 * 3
(1 + 2) * 3
7 / 2
7 // 2
-7 // 2
-7 % 3
7 % -3
7.5 // 2
-7.5 % 2
2 ** 10
2 ** -1
2 ** 0.5
-2 ** 2
1 / 0
1e3
1e16
1e-7
1.0
123456789012345680.0
0.1 + 0.2
1_000
0x1f
big * big
10 / 5
3 * 'ab'
'ab' * 0
[1] * 2
[1] + [2]
[1] + (2,)
(1, 2) + (3,)
(1,)
()
[]
{}
{'a': 1, 'b': [1, 'x']}
'a' 'b' "c"
'a' ~ 1 ~ none ~ true ~ 1.5
'a' + 1
1 + 'a'
none + 1
1 == 1.0
1 == true
'1' == 1
'a' < 'b'
1 < 'a'
1 < 2 < 3
1 < 3 < 2
[1, 2] < [1, 3]
1 in xs
5 not in xs
'ell' in s
1 in s
'b' in d
none in mixed
missing in xs
'x' in missing
not t
not missing
t and 5
no and 5
none or 'x'
empty or none
missing or 'x'
t if t
t if no
'a' if no else 'b' if t else 'c'
1 if missing else 2
s | upper
s | lower
s | title
s | capitalize
'hello wORLD-foo (bar) [baz] o\'neil' | title
'hello wORLD-foo o\'neil 3rd' .title()
uni | upper
uni | title
uni.capitalize()
pad | trim
pad.strip()
pad.lstrip()
pad.rstrip()
'xxaxx'.strip('x')
'xyaxy' | trim('xy')
'\u00a0a\u2003'.strip()
s.split()
'a,b,,c'.split(',')
'a,b,,c'.split(',', 1)
' a  b '.split()
'a b c'.split(none, 1)
'a.b.c'.rsplit('.', 1)
''.split(',')
''.split()
'a\nb\r\nc\n'.splitlines()
'a-b-c'.partition('-')
s.startswith('He')
s.startswith(('x', 'H'))
s.endswith('d')
s.replace('l', 'L')
s.replace('l', 'L', 1)
s | replace('l', 'L', 2)
'ab'.replace('', '-')
'-'.join(['a', 'b'])
'-'.join([1])
xs | join(', ')
rows | join('|', attribute='role')
names | map('upper') | join(',')
rows | map(attribute='n') | list
rows | map(attribute='n', default=0) | list
rows | selectattr('role', 'equalto', 'user') | list | length
rows | rejectattr('role', 'eq', 'user') | list
rows | selectattr('n', 'defined') | map(attribute='n') | join
rows | selectattr('n') | list
xs | select('odd') | list
xs | reject('gt', 1) | list
xs | select('in', [1, 2]) | list
xs | sort
names | sort
names | sort(case_sensitive=true)
names | sort(reverse=true)
rows[:2] | sort(attribute='n')
mixed | sort
names | unique | list
mixed | unique | list
xs | sum
rows[:2] | sum(attribute='n')
xs | first
xs | last
[] | first
'abc' | first
'abc' | last
xs | reverse | list
'abc' | reverse
xs | max
xs | min
names | max
d | dictsort
d | dictsort(case_sensitive=true)
{'a': 3, 'b': 1} | dictsort(by='value')
{'a': 3, 'b': 1} | dictsort(reverse=true)
d | items | list
d.items() | list
d.keys() | list
d.values() | list
d.items()
d | list
d | length
d.b
d['b']
d.get('b')
d.get('zz')
d.get('zz', 4)
d.zz
items['keys']
items['values'] is defined
deep.a.b.c
deep['a']['b'].c
deep.a.x.y
[deep] | map(attribute='a.b.c') | list
d | tojson
d | tojson(indent=2)
d | tojson(indent=4)
d | tojson(sort_keys=true)
d | tojson(ensure_ascii=true)
d | tojson(separators=(',', ':'))
html | tojson
uni | tojson
uni | tojson(ensure_ascii=true)
'\x7f\x00\u2028\t\"\\' | tojson
[1.0, 1e16, 1e-7, 0.1, -0.0, 123456.789] | tojson
[] | tojson(indent=2)
{} | tojson(indent=2)
[[], {}] | tojson(indent=2)
(1, 2) | tojson
{1: 2, none: 3} | tojson
missing | tojson
none | tojson
big | tojson
html
html | safe
html | string
d | string
'%s and %d' % ('a', 3)
'%s' % s
'%s-%s' | format('a', 1)
'{} {}'.format('a', 1)
'{1} {0}'.format('a', 'b')
'{x}'.format(x=1)
'{{}}'.format()
missing | default('x')
empty | default('x')
empty | default('x', true)
none | default('x')
none | d('x', boolean=true)
'12' | int
'12.7' | int
'x' | int
'x' | int(5)
'ff' | int(base=16)
2.9 | int
-2.9 | int
none | int
'2.5' | float
'x' | float
'1e3' | float
3 | float
2.5 | round
3.5 | round
2.567 | round(2)
2.1 | round(method='ceil')
2.9 | round(0, 'floor')
7 | round
-3 | abs
-2.5 | abs
'a\nb\n\nc' | indent
'a\nb\n\nc' | indent(2, true)
'a\nb\n\nc' | indent(2, blank=true)
'a\nb' | indent('> ')
xs | batch(2) | list
xs | batch(2, 0) | list
xs | length
'x' | length
5 | length
none | length
missing | length
range(3) | list
range(1, 10, 3) | list
range(3, 0, -1) | list
range(3)
range(3)[1]
namespace(a=1).a
namespace(a=1).b
dict(a=1, b=2)
dict({'x': 1}, y=2)
t is true
no is false
1 is true
none is none
missing is defined
s is defined
d.zz is defined
d.zz is undefined
none is defined
s is string
xs is string
d is mapping
xs is mapping
xs is iterable
s is iterable
5 is iterable
missing is iterable
xs is sequence
s is sequence
d is sequence
5 is sequence
5 is number
true is number
5.5 is number
5 is integer
true is integer
5.5 is float
t is boolean
3 is odd
3 is even
6 is divisibleby 3
6 is divisibleby(4)
'a' is in ['a']
1 is eq 1
1 is ne 2
1 is lt 2
2 is ge 2
s is not none
s is not string
'abc' is lower
'ABC' is upper
s.upper is callable
s is in s
xs.count(1)
xs.index(2)
s.find('World')
s.find('zzz')
uni.find('🙂')
s.count('l')
s.index('W')
'12'.isdigit()
'ab'.isalpha()
'  '.isspace()
'AB'.isupper()
'ab'.islower()
xs.append(4)
d.update({})
d.pop('b')
['it\'s', "say \"x\"", 'both \' "', 'new\nline', 'tab\t', 'nul\x00', 'é', '\u200b', '\U0001F642', 'back\\slash']
'\x41\u0042\101\q'
'a
b'
-xs[0]
+n
- -n
not not t
n is number and s is string
xs | length > 2
xs | length == 3 and t
s | length - 1
s ~ xs | length
'a' if xs | length > 5 else 'b'
[1, 2, 3,]
{'a': 1,}
(1 if t else 2, 3)
xs[n - 6]
xs[n]
xs['a']
d[none]
s(1)
nothing()
s.nothing()
xs | nofilter
xs is notest
raise_exception('no ' ~ s)
strftime_now('%d %b %Y')
strftime_now('%Y-%m-%d %H:%M:%S %A %B %y %j %I %p %%')
('a' ~ 'b') | upper
'a' ~ 'b' | upper
-5 | abs
d['a'][1]['x'] is none
""".strip("\n")

TEMPLATES = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n", "a\n  {% if t %}\n  b\n  {% endif %}\n  c", "a  {% if t %}  b  {% endif %}  c",
    "a\n  {%- if t -%}\n  b\n  {%- endif -%}\n  c", "a\n  {%+ if t +%}\n  b\n  {%+ endif %}\n  c", "a\n\n{{ s }}\n\nb\n\n",
    "a \n {{- s -}} \n b", "a {#- note -#} b", "x\n  {# note #}\ny", "x\n  {# note #}  \ny", "  {{ s }}\n  {% set a = 1 %}\n  {{ a }}",
    "{% set a = 1 %}\n\n{{ a }}\n", "\n{% if t %}x{% endif %}\n\n", "a\r\nb\rc\n{{ 'x\r\ny' }}", "{{ '{{' }} {{ '%}' }} {{ {'a': {'b': 1}} }}",
    "{%if t%}x{%else%}y{%endif%}", "{% if no %}1{% elif none %}2{% elif t %}3{% else %}4{% endif %}",
    "{% for x in xs %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }};{% endfor %}",
    "{% for x in xs if x > 1 %}{{ loop.index }}:{{ x }}/{{ loop.length }} {% else %}none{% endfor %}", "{% for x in [] %}a{% else %}b{% endfor %}",
    "{% for x in missing %}a{% else %}b{% endfor %}", "{% for x in none %}a{% endfor %}", "{% for x in 5 %}a{% endfor %}", "{% for c in 'aé🙂' %}[{{ c }}]{% endfor %}",
    "{% for k in d %}{{ k }}{% endfor %}", "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d | items %}{{ k }};{% endfor %}",
    "{% for k, v in d | dictsort %}{{ k }};{% endfor %}", "{% for a, b in [(1, 2), (3, 4)] %}{{ a + b }} {% endfor %}", "{% for a, b in [1] %}x{% endfor %}", "{% for a, b in [(1, 2, 3)] %}x{% endfor %}",
    "{% for x in xs %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}", "{% for x in xs %}{{ loop.cycle('a', 'b') }}{% endfor %}",
    "{% for x in [1, 1, 2] %}{{ loop.changed(x) }}{% endfor %}", "{% for x in xs %}{% for y in xs %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for x in xs %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}", "{% for x in xs %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% endfor %}",
    "{% set a = 1 %}{% for x in xs %}{% set a = a + x %}{{ a }} {% endfor %}{{ a }}", "{% set ns = namespace(a=0) %}{% for x in xs %}{% set ns.a = ns.a + x %}{% endfor %}{{ ns.a }}",
    "{% if t %}{% set q = 5 %}{% endif %}{{ q }}", "{% if no %}{% set s = 5 %}{% endif %}{{ s }}", "{% for x in xs %}{% if loop.first %}{% set q = x %}{% endif %}{{ q }}{% endfor %}",
    "{% for x in xs %}{% set q = x %}{% endfor %}{{ q is defined }}", "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a }}", "{% set x %}<{{ s }}>{% endset %}{{ x }}",
    "{% set x | upper | trim %} {{ s }} {% endset %}[{{ x }}]", "{% set x %}{% set inner = 1 %}{% endset %}{{ inner is defined }}", "{% set loopy.a = 1 %}", "{% set d.a = 1 %}",
    "{% macro m(a, b=2) %}{{ a }}-{{ b }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(b=5, a=4) }}", "{% macro m(a) %}{{ a }}|{{ a is defined }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}x{% endmacro %}{{ m(1, 2) }}", "{% macro m(a) %}x{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}x{% endmacro %}{{ m(1, a=2) }}",
    "{% macro m() %}{{ s }}{{ late }}{% endmacro %}{% set late = 9 %}{{ m() }}", "{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}",
    "{% macro fact(n) %}{% if n > 1 %}{{ n * (fact(n - 1) | int) }}{% else %}1{% endif %}{% endmacro %}{{ fact(5) }}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}in {{ s }}{% endcall %}", "{% macro m() %}[{{ caller(5) }}]{% endmacro %}{% call(x) m() %}{{ x + 1 }}{% endcall %}",
    "{% macro m(x) %}{% set y = x %}{{ y }}{% endmacro %}{{ m(3) }}{{ y is defined }}", "{% for x in xs %}{% macro m() %}{{ x }}{% endmacro %}{{ m() }}{% endfor %}", "{% macro m() %} a {% endmacro %}{{ m() | trim }}{{ m() + 'b' }}",
    "{% macro m() %}x{% endmacro %}{{ m is callable }}", "{% generation %}a {{ s }}{% endgeneration %} b{% generation %}é🙂{% endgeneration %}",
    "{% generation %}{% set g = 1 %}{% endgeneration %}{{ g is defined }}", "{{ (html | safe) ~ '<' }}", "{% if xs | length > 1 and xs[0] == 3 %}y{% endif %}", "{% if 'a' in 'abc' and not 'z' in 'abc' %}y{% endif %}",
    "{% set u = xs | map('string') %}{{ u | join }}|{{ u | join }}", "{{ xs | map('string') | length }}", "{% if rows | selectattr('role', 'equalto', 'zz') %}truthy{% endif %}",
    "{% set a = [] %}{% set a = a + ['x'] %}{{ a }}", "{{ s }}{{ missing }}{{ none }}", "{{ }}", "{% if %}{% endif %}", "{{ s", "{% if t %}", "{% endif %}", "{{ s | }}", "{{ 1 + }}", "{{ (1 }}", "{{ [1 }}",
    "{{ 'a }}", "{% set 5 = 1 %}", "{% set true = 1 %}", "{% unknown %}", "{{ a b }}", "{# open", "{% break %}", "{{ s. }}", "{% for x xs %}{% endfor %}", "{{ m(a=1, 2) }}", "{% macro m(a=1, b) %}{% endmacro %}",
    "{{ loop }}", "{{ strftime_now('%d') if strftime_now is defined else 'x' }}", "{{- s -}}\n\n{{ s }}", "{%- set a = 1 -%}\n  {{ a }}  {%- set b = 2 %}\n{{ b }}", "x{{ s }}  \n  {%- if t %}\n  y{% endif %}",
]

# Written by Python as names or addresses, by design not rendered: jinja2's text of these must not be needed.
REFUSED = ["s.upper", "xs | map('string')", "namespace(a=1)", "items.keys", "s.__class__", "''.__class__.__mro__", "d.__class__", "range.name", "(html | safe) + '<'", "{true: 1}", "'%5d' % 3", "'{:>5}'.format(1)", "s.encode()", "s.zfill(20)", "s | wordcount",
           "xs | groupby('a')", "lipsum()", "cycler(1)", "xs | slice(2) | list", "s | urlize", "s | escape", "m(*xs)", "dict(**d)"]


def rendered(compile_template):
    cases = []
    expressions = EXPRESSIONS.replace("'a\nb'\n", "'a\\x00NL b'\n").split("\n")
    for text in ["{{ " + e.replace("\\x00NL ", "\n") + " }}" for e in expressions] + TEMPLATES:
        try:
            cases.append({"template": text, "text": compile_template(text).render(**VARIABLES)})
        except Exception as e:
            cases.append({"template": text, "error": type(e).__name__ + ": " + str(e)[:120]})
    return {"variables": VARIABLES, "cases": cases, "refused": ["{{ " + e + " }}" for e in REFUSED]}
