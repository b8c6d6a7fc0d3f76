"""The style of figures: dark on white for light screens and print, light on dark for dark screens.

The colours of series are those of Okabe and Ito (Color Universal Design, 2008), which people with
red-green colour blindness can distinguish; yellow and the light ones are darkened for white paper.
"""

STYLE = """
:root { --paper: #fff; --ground: #f6f7f9; --ink: #1b2430; --soft: #5b6676; --line: #dfe3e9;
  --card: #fff; --accent: #0b5cad; --good: #15803d; --bad: #b91c1c; --warn: #92400e;
  --series-0: #0072b2; --series-1: #d55e00; --series-2: #00805f; --series-3: #b3568f;
  --series-4: #8a6d00; --series-5: #2d9fd9; --series-6: #4b4b4b; --series-7: #7a3fb0; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #12171e; --ground: #0d1117;
  --ink: #e6eaf0; --soft: #9aa5b5; --line: #2b333e; --card: #12171e; --accent: #60a5fa;
  --good: #4ade80; --bad: #f87171; --warn: #fbbf24;
  --series-0: #56b4e9; --series-1: #f0915a; --series-2: #2fd0a5; --series-3: #e39bc4;
  --series-4: #f0e442; --series-5: #8fb8ff; --series-6: #c9ced6; --series-7: #c4a1f5; } }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 14px; font-weight: 600; color: var(--ink); margin-bottom: 6px;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } .undrawn { color: var(--bad); }
.chart { max-width: 100%; height: auto; font-size: 12px; fill: var(--ink); display: block; }
.chart.wide { max-width: none; }
.chart .title { font-size: 12px; } .chart .tick { fill: var(--soft); font-size: 11px; }
.chart .middle { text-anchor: middle; } .chart .end { text-anchor: end; }
.chart .rule { stroke: var(--line); } .chart .axis { stroke: var(--soft); }
.curve { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round;
  stroke-dasharray: var(--dash); }
.chart .dot { fill: var(--colour); }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 12px; margin: 0 0 4px;
  overflow-wrap: anywhere; }
.legend .key { vertical-align: middle; }
.remark { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
table.data { border-collapse: collapse; font-size: 13px; width: auto; }
table.data th, table.data td { padding: 4px 14px 4px 0; border-bottom: 1px solid var(--line);
  text-align: left; vertical-align: top; overflow-wrap: break-word; }
table.data th { color: var(--soft); font-weight: 500; }
table.data .right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
@media (max-width: 640px) { .chart.own-size { max-width: none;
  width: clamp(calc(0.7 * var(--width)), 100%, var(--width)); }
  .chart:not(.wide, .own-size) .tick { font-size: 13px; }
  .chart:not(.wide, .own-size) .title { font-size: 14px; } }
@media print { * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .chart.wide, .chart.own-size { max-width: 100%; }
  .scroll { overflow: visible; } tr { break-inside: avoid; } }
""".strip()
"""Colour variables and classes for drawings; each page includes it once."""
