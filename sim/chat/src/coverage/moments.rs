//! Two things that happened at the server in one tick, in either order.

use super::State;

pub(super) const STATES: &[State] = &[
    ("two sessions were opened in one tick", |run| {
        run.in_one_tick(["opened", "opened"], |_, _| true)
    }),
    ("both of a conversation asked for another partner in one tick", |run| {
        run.in_one_tick(["skipped", "skipped too late"], |one, other| {
            one.field("partner") == other.field("session")
        })
    }),
    ("a message was accepted in the tick in which the partner asked for another", |run| {
        run.in_one_tick(["said", "skipped"], |said, skipped| {
            said.field("session") == skipped.field("partner")
        })
    }),
    ("a message was refused in the tick in which the partner had asked for another", |run| {
        run.in_one_tick(["refused", "skipped"], |refused, skipped| {
            refused.reason.as_deref() == Some("stale-pair")
                && refused.field("session") == skipped.field("partner")
        })
    }),
    ("a message was accepted in the tick in which the partner became suspect", |run| {
        run.in_one_tick(["said", "suspected"], |said, lost| {
            said.field("partner") == lost.field("session")
        })
    }),
    ("a message was accepted in the tick in which a session ran out of time", |run| {
        run.in_one_tick(["said", "ran out"], |_, _| true)
    }),
    ("a message was accepted in the tick in which its sender was met", |run| {
        run.in_one_tick(["said", "met"], |said, met| {
            [met.field("session"), met.field("partner")].contains(&said.field("session"))
        })
    }),
    ("a session was taken up again in the tick in which another ran out of time", |run| {
        run.in_one_tick(["attached", "ran out"], |attached, out| {
            attached.is("was_suspect") && attached.field("session") != out.field("session")
        })
    }),
    ("two sessions ran out of time in one tick", |run| {
        run.in_one_tick(["ran out", "ran out"], |_, _| true)
    }),
    ("two connections were lost in one tick", |run| {
        run.in_one_tick(["suspected", "suspected"], |one, other| {
            one.field("session") != other.field("session")
        })
    }),
    ("a second reader took over in the tick in which a message came for the first", |run| {
        run.in_one_tick(["attached", "said"], |attached, said| {
            attached.is("took_over") && attached.field("session") == said.field("partner")
        })
    }),
    ("somebody was left and met somebody else in one tick", |run| {
        run.in_one_tick(["was left", "met"], |left, met| {
            [met.field("session"), met.field("partner")].contains(&left.field("session"))
        })
    }),
    ("a message was said twice in one tick", |run| {
        run.in_one_tick(["said", "said again"], |one, other| {
            one.field("session") == other.field("session")
        })
    }),
    ("something was asked for in the tick in which the server began to drain", |run| {
        run.in_one_tick(["drains", "refused"], |_, _| true)
    }),
    ("a session was opened and another ended in one tick", |run| {
        run.in_one_tick(["opened", "ended"], |_, _| true)
    }),
    ("a session was lost and taken up again in one tick", |run| {
        run.in_one_tick(["suspected", "attached"], |lost, attached| {
            lost.field("session") == attached.field("session")
        })
    }),
];
