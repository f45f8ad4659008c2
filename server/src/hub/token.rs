//! The name of a session and the proof that one may use it: `SESSION-SECRET`, in hexadecimal.

use std::fmt;
use std::str::FromStr;

use protocol::SessionId;

/// It has no `Debug`, so that no log can show it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) session: SessionId,
    pub(super) secret: Secret,
}

/// 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Secret(u128);

impl Secret {
    pub(super) fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system gave entropy at start and does so since");
        Self(u128::from_ne_bytes(bytes))
    }

    /// One comparison of two integers: it takes as long for a near miss as for a wild guess.
    pub(super) fn is(self, other: Self) -> bool {
        self.0 ^ other.0 == 0
    }

    /// Keys what is said in the name of its session.
    pub(super) fn key(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:032x}", self.session.0, self.secret.0)
    }
}

impl FromStr for Token {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (session, secret) = text.split_once('-').ok_or(())?;
        let session = SessionId(u64::from_str_radix(session, 16).map_err(|_| ())?);
        let secret = Secret(u128::from_str_radix(secret, 16).map_err(|_| ())?);
        Ok(Self { session, secret })
    }
}
