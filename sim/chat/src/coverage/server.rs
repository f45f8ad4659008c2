//! States that only the server knows of, and says in its tracing events.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::State;
use super::run::Run;

/// What counts as the last moment of a resume window, in milliseconds.
const LAST_MOMENT_MS: u64 = 50;
/// What counts as at the same time as an upgrade.
const DURING: Duration = Duration::from_millis(50);

pub(super) const STATES: &[State] = &[
    ("a message was accepted while the partner was suspect", |run| {
        run.saw("said", |said| said.is("partner_is_suspect"))
    }),
    ("a message was accepted while nobody read the partner's mailbox", |run| {
        run.saw("said", |said| !said.is("partner_is_reading"))
    }),
    ("a command was refused because there were too many", |run| refused(run, "too-fast")),
    ("something was asked for in a session that had ended", |run| refused(run, "closed")),
    ("something was asked for while the server drained", |run| refused(run, "draining")),
    ("nobody was let in because the server drained", |run| turned_away(run, "draining")),
    ("an address had as many sessions as it may have", |run| turned_away(run, "too-many-sessions")),
    ("an address opened sessions too fast", |run| turned_away(run, "opens-too-fast")),
    ("a session ended of which nothing had been heard", |run| {
        run.saw("ran out", |out| out.is("was_new"))
    }),
    ("a connection that was only opened was never polled", |run| run.saw("never polled", |_| true)),
    ("a connection that was polled once was never polled again", |run| {
        run.saw("polled once", |_| true)
    }),
    ("the time of a session that was not suspect ran out", |run| {
        run.saw("ran out", |out| !out.is("was_suspect"))
    }),
    ("a resume window ended", |run| run.saw("ran out", |out| out.is("was_suspect"))),
    ("somebody who waited ran out of time", |run| run.saw("ran out", |out| !out.is("is_paired"))),
    ("somebody who talked ran out of time", |run| run.saw("ran out", |out| out.is("is_paired"))),
    ("a session was given up that nobody had ever read", never_read),
    ("a partner was lost while a reader waited", |run| {
        run.saw("was left", |left| left.is("is_lost") && left.is("is_reading"))
    }),
    ("somebody suspect was left", |run| run.saw("was left", |left| left.is("is_suspect"))),
    ("both of a conversation were suspect", both_suspect),
    ("somebody left for good while nobody read the mailbox", |run| {
        run.saw("ended", |ended| ended.is("is_left") && !ended.is("is_read"))
    }),
    ("somebody suspect was heard from and waits again", |run| run.saw("waits again", |_| true)),
    ("a reader took over from another", |run| {
        run.saw("attached", |attached| attached.is("took_over"))
    }),
    ("a session was taken up in the last moment of its resume window", |run| {
        run.saw("attached", |attached| {
            let left_ms = attached.field("left_ms");
            attached.is("was_suspect") && left_ms.is_some_and(|left_ms| left_ms <= LAST_MOMENT_MS)
        })
    }),
    ("the last events of a session were asked for after its end", |run| {
        run.saw("attached", |attached| !attached.is("is_open"))
    }),
    ("a session was forgotten with events that nobody had read", |run| {
        run.saw("removed", |removed| removed.is("is_unread"))
    }),
    ("a message was repeated after the session was taken up again", repeated_after_resuming),
    ("events were handed out again", |run| run.saw("handed out again", |_| true)),
    ("a mailbox gave up its head counts", |run| run.saw("lagged", |_| true)),
    ("a message was refused because a mailbox was full", |run| refused(run, "mailbox-full")),
    ("somebody who waits was kept back until something was read", |run| {
        run.saw("kept back", |_| true)
    }),
    ("a session was closed as slow", |run| run.saw("ended", |ended| ended.is("is_slow"))),
    ("a cursor was behind what the mailbox holds", |run| {
        run.saw("cursor refused", |refused| refused.is("is_behind"))
    }),
    ("another partner was asked for when the conversation was over", |run| {
        run.saw("skipped too late", |_| true)
    }),
    ("two who had just parted were all that was left to each other", |run| {
        run.saw("met", |met| met.is("again"))
    }),
    ("a cut poll made its reader doubtful", |run| run.saw("doubted", |_| true)),
    ("the server drained while readers waited", |run| {
        run.saw("drains", |drains| drains.field("reading") > Some(0))
    }),
    ("the server drained while people talked", |run| {
        run.saw("drains", |drains| drains.field("pairs") > Some(0))
    }),
    ("a drain ended before everybody had read everything", |run| {
        run.saw("drained too late", |_| true)
    }),
    ("a connection was refused because there were too many", |run| {
        run.saw("too many connections", |_| true)
    }),
    ("a request's header came too late", |run| run.saw("slow header", |_| true)),
    ("a connection without a request was closed", |run| run.saw("idle connection", |_| true)),
    ("a connection was cut because its peer took nothing", |run| run.saw("write stuck", |_| true)),
    ("a connection was upgraded while messages flowed", upgraded_in_mid_talk),
    ("an upgrade failed and the polls went on", |run| {
        run.saw("polled after an upgrade failed", |_| true)
    }),
];

fn refused(run: &Run<'_>, reason: &str) -> bool {
    run.saw("refused", |refused| refused.reason.as_deref() == Some(reason))
}

fn turned_away(run: &Run<'_>, reason: &str) -> bool {
    run.saw("turned away", |away| away.reason.as_deref() == Some(reason))
}

fn never_read(run: &Run<'_>) -> bool {
    let read: BTreeSet<_> =
        run.all("attached").filter_map(|attached| attached.field("session")).collect();
    run.saw("ran out", |out| out.field("session").is_some_and(|session| !read.contains(&session)))
}

fn both_suspect(run: &Run<'_>) -> bool {
    let mut partners = BTreeMap::new();
    let mut suspect = BTreeSet::new();
    run.sights.iter().any(|sight| {
        let Some(session) = sight.field("session") else { return false };
        match sight.name {
            "met" => {
                let partner = sight.field("partner").unwrap_or(session);
                partners.insert(session, partner);
                partners.insert(partner, session);
            }
            "suspected" | "doubted" => {
                suspect.insert(session);
                let partner = partners.get(&session);
                return partner.is_some_and(|partner| suspect.contains(partner));
            }
            // Whoever is heard of otherwise is there, or has a partner no more.
            "was left" => drop(partners.remove(&session)),
            _ => drop(suspect.remove(&session)),
        }
        false
    })
}

fn repeated_after_resuming(run: &Run<'_>) -> bool {
    let mut resumed = BTreeSet::new();
    run.sights.iter().any(|sight| match (sight.name, sight.field("session")) {
        ("attached", Some(session)) if sight.is("was_suspect") => {
            resumed.insert(session);
            false
        }
        ("said", Some(session)) => {
            resumed.remove(&session);
            false
        }
        ("said again", Some(session)) => resumed.contains(&session),
        _ => false,
    })
}

fn upgraded_in_mid_talk(run: &Run<'_>) -> bool {
    run.all("upgraded").any(|upgraded| {
        run.all("said").any(|said| {
            [said.field("session"), said.field("partner")].contains(&upgraded.field("session"))
                && said.at.abs_diff(upgraded.at) <= DURING
        })
    })
}
