// The style sheet of all reports.
#pragma once

namespace avs::report {

inline constexpr const char* kStyle = R"css(
:root { color-scheme: light dark; --text: #1c2430; --muted: #5d6b7e; --page: #f6f7f9; --card: #ffffff; --line: #dde2e9;
  --accent: #2563eb; --c0: #2563eb; --c1: #d9480f; --c2: #2b8a3e; --c3: #9c36b5; --c4: #b08900; --c5: #0b7285; --c6: #c2255c; --c7: #5c5f66; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ee; --muted: #98a4b5; --page: #14181e; --card: #1c222b;
  --line: #323b48; --accent: #7aa2ff; --c0: #7aa2ff; --c1: #ff922b; --c2: #69db7c; --c3: #da77f2; --c4: #ffd43b; --c5: #3bc9db; --c6: #f783ac; --c7: #adb5bd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 16px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; } header p { color: var(--muted); margin: 0; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .25rem; } h2 { font-size: 1.25rem; margin: 0 0 1rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; } h3:first-child { margin-top: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .75rem; padding: 1.5rem; margin: 1.5rem 0; overflow-x: auto; }
footer { color: var(--muted); font-size: .85rem; padding-bottom: 3rem; }
.note { color: var(--muted); font-size: .875rem; max-width: 60rem; }
p { margin: .5rem 0; } section > :last-child { margin-bottom: 0; }
pre { font: .85rem/1.45 ui-monospace, "SF Mono", Menlo, "Liberation Mono", monospace; overflow-x: auto; margin: 0; tab-size: 2; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 3rem; margin: 0 0 1rem; padding: 0; list-style: none; }
.figures b { display: block; font-size: 2rem; line-height: 1.15; font-weight: 650; font-variant-numeric: tabular-nums; }
.figures span { color: var(--muted); font-size: .9rem; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
caption { text-align: left; white-space: nowrap; color: var(--muted); font-size: .875rem; padding-bottom: .5rem; }
th, td { padding: .35rem .7rem; border-bottom: 1px solid var(--line); vertical-align: middle; }
th { font-weight: 600; text-align: left; } thead th { vertical-align: bottom; color: var(--muted); }
td.n, th.n { text-align: right; } tbody th { font-weight: 500; white-space: nowrap; }
tr.total th, tr.total td { border-top: 2px solid var(--line); font-weight: 650; }
.best { font-weight: 700; color: var(--accent); }
.bar { display: block; height: .4rem; min-width: 7rem; background: var(--line); border-radius: .2rem; overflow: hidden; }
.bar i { display: block; height: 100%; border-radius: .2rem; background: var(--c0); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1.5rem; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
figure { margin: 0; } figcaption { font-size: .9rem; font-weight: 600; margin-bottom: .4rem; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--muted); font: 11px system-ui, sans-serif; }
svg .grid { stroke: var(--line); stroke-width: 1; } svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem; color: var(--muted); margin: .3rem 0 0; padding: 0; list-style: none; }
.legend i { display: inline-block; width: .9rem; height: .25rem; border-radius: .1rem; margin-right: .4rem; vertical-align: middle; }
.confusion td { text-align: center; min-width: 2rem; padding: .35rem .2rem; border: 1px solid var(--card); }
.confusion thead th { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; padding: .4rem .3rem; text-align: left; }
.confusion thead th:first-child { writing-mode: horizontal-tb; transform: none; }
.confusion .zero { color: var(--line); } .confusion .dark { color: #fff; }
.sheet { display: grid; margin-top: 1rem; grid-template-columns: repeat(auto-fill, minmax(29rem, 1fr)); gap: 1.25rem 1.5rem; }
.clip { display: flex; gap: .75rem; align-items: flex-start; } .clip > div { flex: 1; min-width: 0; }
.clip img { display: block; border-radius: .35rem; background: var(--line); } .clip .frame { width: 8rem; height: 6rem; object-fit: cover; }
.clip .sound { width: 100%; height: 3.1rem; margin-bottom: .3rem; }
.clip h3 { margin: 0 0 .3rem; font-size: .95rem; overflow-wrap: anywhere; } .clip p { margin: .1rem 0; font-size: .85rem; }
details { margin: .5rem 0; } summary { cursor: pointer; font-weight: 600; } details > div { margin-top: 1rem; }
@media print { section { break-inside: avoid; border: 0; padding: 0; } }
)css";

}  // namespace avs::report
