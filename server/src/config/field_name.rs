//! The name of a header field, as a limit of the server has it.

use std::fmt;
use std::str::FromStr;

use axum::http::HeaderName;
use serde::{Deserialize, Serialize};

/// Name of a header field (RFC 9110, section 5.1), in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldName(HeaderName);

impl FromStr for FieldName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = HeaderName::from_bytes(text.as_bytes()).ok();
        // Where credentials are allowed, browsers take the asterisk for a name as others are.
        let name = name.filter(|name| name != "*");
        name.map(Self).ok_or_else(|| {
            format!(
                "`{text}` is not the name of a header; write one as x-request-id, and list each"
            )
        })
    }
}

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FieldName> for String {
    fn from(name: FieldName) -> Self {
        name.to_string()
    }
}

impl From<FieldName> for HeaderName {
    fn from(name: FieldName) -> Self {
        name.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_name_is_read_in_any_case_and_nothing_else_is_one() {
        assert_eq!(
            "X-Request-Id".parse::<FieldName>().expect("a name").to_string(),
            "x-request-id"
        );
        for text in ["", "*", "x request", "x:y", "é"] {
            let error = text.parse::<FieldName>().expect_err(text);
            assert!(error.contains("x-request-id"), "{error}");
        }
    }
}
