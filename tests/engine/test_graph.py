from pathlib import Path
from textwrap import dedent

import pytest

from wabot.adapters import graphviz
from wabot.engine.graph import dot, mermaid, mermaid_text
from wabot.engine.loader import Source, load_flow
from wabot.errors import FlowInvalid, UsageError


def flow(text: str) -> Source:
    return load_flow(dedent(text), "chart.yaml")


SHOP = """\
    flow: shop
    intents: {menu: [menu]}
    transitions:
      - {event: message, intent: menu, target: start}
      - {event: message.image, on: {log: "1"}}
    states:
      start:
        initial: true
        after: {1h: {target: end, cond: n > 1}}
        transitions:
          - {event: go, cond: [n, m], unless: o, target: both}
          - {target: end}
      both:
        parallel: true
        history: {back: {type: deep}}
        transitions: {event: done.state.both, target: end}
        states:
          left:
            states:
              a: {transitions: [{initial: true, target: a}, {event: on, target: b}]}
              b: {final: true}
            transitions: {event: swap, target: right}
          right:
            history: {then: }
            states:
              inner: {states: {deep: {transitions: {event: out, target: then}}}}
            transitions: {event: again, target: inner}
      end: {final: true}
"""


def test_mermaid_draws_nesting_regions_history_and_final_states() -> None:
    assert mermaid(flow(SHOP)) == dedent("""\
        stateDiagram-v2
            direction TB
            state "anywhere" as s0
            [*] --> s1
            state "start" as s1
            state "both" as s2 {
                state "left" as s4 {
                    [*] --> s5
                    state "a" as s5
                    state "b" as s6
                    s5 --> s6 : on
                    s6 --> [*]
                }
                --
                state "right" as s7 {
                    [*] --> s9
                    state "inner" as s9 {
                        [*] --> s10
                        state "deep" as s10
                        s10 --> s10 : again
                    }
                    state "H" as s8
                    s10 --> s8 : out
                }
                state "H*" as s3
            }
            state "end" as s11
            s0 --> s1 : message “menu”
            s0 --> s0 : message.image
            s1 --> s2 : go #91;n and m and not (o)#93;
            s1 --> s11
            s1 --> s11 : after 1h #91;n #62; 1#93;
            s2 --> s11 : done.state.both
            s5 --> s10 : swap
            s11 --> [*]
        """)


def test_active_states_are_marked_with_those_around_them() -> None:
    drawn = mermaid(flow(SHOP), ["both.left.b", "inner", "nowhere"])
    assert "    class s2,s4,s6,s7,s9 active\n" in drawn
    assert "classDef active" in drawn
    drawn = dot(flow(SHOP), ["b"])
    assert 's6 [label="b" peripheries=2 style="filled,rounded" fillcolor="#ffd54f"]' in drawn
    assert 'graph [label="left" style="filled,rounded" fillcolor="#ffd54f"]' in drawn
    assert 's5 [label="a"]' in drawn


def test_dot_draws_clusters_and_clips_arrows_at_them() -> None:
    assert dot(flow(SHOP)) == dedent("""\
        digraph "shop" {
            compound=true rankdir=TB fontname=Helvetica
            node [shape=box style=rounded fontname=Helvetica fontsize=11]
            edge [fontname=Helvetica fontsize=9]
            s0 [label="anywhere" shape=ellipse style=dashed]
            start0 [shape=point width=0.12]
            start0 -> s1
            s1 [label="start"]
            subgraph cluster_s2 {
                graph [label="both" style="rounded"]
                subgraph cluster_s4 {
                    graph [label="left" style="dashed"]
                    start4 [shape=point width=0.12]
                    start4 -> s5
                    s5 [label="a"]
                    s6 [label="b" peripheries=2]
                }
                subgraph cluster_s7 {
                    graph [label="right" style="dashed"]
                    start7 [shape=point width=0.12]
                    start7 -> s10 [lhead=cluster_s9]
                    subgraph cluster_s9 {
                        graph [label="inner" style="rounded"]
                        start9 [shape=point width=0.12]
                        start9 -> s10
                        s10 [label="deep"]
                    }
                    s8 [label="H" shape=circle]
                }
                s3 [label="H*" shape=circle]
            }
            s11 [label="end" peripheries=2]
            s0 -> s1 [label="message “menu”"]
            s0 -> s0 [label="message.image"]
            s1 -> s5 [label="go [n and m and not (o)]" lhead=cluster_s2]
            s1 -> s11
            s1 -> s11 [label="after 1h [n > 1]"]
            s5 -> s11 [label="done.state.both" ltail=cluster_s2]
            s5 -> s10 [label="swap" ltail=cluster_s4 lhead=cluster_s7]
            s5 -> s6 [label="on"]
            s10 -> s10 [label="again" lhead=cluster_s9]
            s10 -> s8 [label="out"]
        }
        """)


def test_a_flow_without_interrupts_has_no_anywhere() -> None:
    source = flow("states: {a: {transitions: {event: x, target: b}}, b: {final: true}}")
    assert "anywhere" not in mermaid(source)
    assert "anywhere" not in dot(source)


def test_any_text_can_be_a_name_or_a_label() -> None:
    source = flow("""\
        states:
          '[*] --> "x"; %% {': {transitions: [{event: a, cond: 'n["k"] < 1 # & \\', target: 'हाँ 😀'}]}
          'हाँ 😀': {final: true}
        """)
    drawn = mermaid(source)
    assert 'state "#91;*#93; -#45;#62; #34;x#34;#59; #37;#37; #123;" as s1' in drawn
    assert 'state "हाँ 😀" as s2' in drawn
    assert "s1 --> s2 : a #91;n#91;#34;k#34;#93; #60; 1 #35; & #92;#93;" in drawn
    drawn = dot(source)
    assert 's1 [label="[*] --> \\"x\\"; %% {"]' in drawn
    assert 's1 -> s2 [label="a [n[\\"k\\"] < 1 # &amp; \\\\]"]' in drawn


def test_long_labels_are_cut() -> None:
    assert mermaid_text("x " * 50) == "x " * 29 + "x" + "…"


def test_a_target_that_is_no_state_is_an_error() -> None:
    source = flow("states: {a: {transitions: {event: x, target: b}}}")
    with pytest.raises(FlowInvalid, match='the target "b" is unknown'):
        mermaid(source)


def program(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = folder / "dot"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def test_svg_is_what_graphviz_makes_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, 'echo "<svg>$1:"; cat; echo "</svg>"', monkeypatch)
    assert graphviz.svg("digraph {}") == b"<svg>-Tsvg:\ndigraph {}</svg>\n"


def test_svg_without_graphviz_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as caught:
        graphviz.svg("digraph {}")
    assert "apt install graphviz" in str(caught.value)


def test_svg_that_graphviz_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "echo 'syntax error in line 1' >&2; exit 1", monkeypatch)
    with pytest.raises(UsageError, match="can't draw this: syntax error in line 1"):
        graphviz.svg("digraph {")


def test_svg_that_takes_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "exec sleep 30", monkeypatch)
    monkeypatch.setattr(graphviz, "TIMEOUT", 0.05)
    with pytest.raises(UsageError, match="more than"):
        graphviz.svg("digraph {}")
