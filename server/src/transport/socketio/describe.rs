//! Describes events in the sentences of the original random chat, in Korean or English.
//!
//! The description is the first argument of `msg`, for people; the event itself is the second, for
//! programs. No code parses a description.

use serde::Deserialize;

use protocol::{Event, LeftReason, ServerEvent, Speaker};

/// The language of the first argument.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// That of the original.
    #[default]
    Korean,
    English,
}

/// Any language may be asked for; what is not spoken here is answered in Korean.
impl<'de> Deserialize<'de> for Language {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tag = String::deserialize(deserializer)?;
        let primary = tag.split('-').next().unwrap_or_default();
        Ok(if primary.eq_ignore_ascii_case("en") { Self::English } else { Self::Korean })
    }
}

impl Language {
    pub(super) fn describe(self, event: &Event) -> String {
        match self {
            Self::Korean => korean(event),
            Self::English => english(event),
        }
    }
}

fn korean(event: &Event) -> String {
    match &event.body {
        ServerEvent::Welcome { .. } => format!("서버에 접속되었습니다.{}", event.at),
        ServerEvent::Waiting => "[상대방을 기다리고 있습니다.]".to_owned(),
        ServerEvent::Paired { .. } => "[상대방과 연결되었습니다.]".to_owned(),
        ServerEvent::Message { from: Speaker::Me, text, .. } => format!("[나]{text}"),
        ServerEvent::Message { from: Speaker::Partner, text, .. } => format!("[상대방]{text}"),
        ServerEvent::PartnerLeft { reason: LeftReason::Skipped } => {
            "[대화가 종료되었습니다.]".to_owned()
        }
        ServerEvent::PartnerLeft { .. } => "상대방이 접속을 종료합니다.".to_owned(),
        ServerEvent::Notice { online } => {
            format!("[전체공지]현재 접속 인원은 총 {online}명입니다.")
        }
        ServerEvent::Lagged { missed } => format!("[알림]공지 {missed}개를 건너뛰었습니다."),
        ServerEvent::Closing { .. } => "[서버와의 연결이 종료됩니다.]".to_owned(),
    }
}

fn english(event: &Event) -> String {
    match &event.body {
        ServerEvent::Welcome { .. } => format!("Connected to the server. {}", event.at),
        ServerEvent::Waiting => "[Waiting for a partner.]".to_owned(),
        ServerEvent::Paired { .. } => "[You are connected to a partner.]".to_owned(),
        ServerEvent::Message { from: Speaker::Me, text, .. } => format!("[Me]{text}"),
        ServerEvent::Message { from: Speaker::Partner, text, .. } => format!("[Partner]{text}"),
        ServerEvent::PartnerLeft { reason: LeftReason::Skipped } => {
            "[The conversation has ended.]".to_owned()
        }
        ServerEvent::PartnerLeft { .. } => "Your partner has disconnected.".to_owned(),
        ServerEvent::Notice { online } => format!("[Notice]There are {online} people online."),
        ServerEvent::Lagged { missed } => format!("[Notice]{missed} notices were left out."),
        ServerEvent::Closing { .. } => "[The connection to the server ends.]".to_owned(),
    }
}
