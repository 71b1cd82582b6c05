//! STUN and TURN servers, for connections through NAT: STUN returns a node's public address, TURN relays traffic that
//! can't be sent directly (RFC 8489, RFC 8656).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Bytes of each field.
pub const PART_MAX_BYTES: usize = 256;

/// As `RTCIceServer`: `stun:host:port`, or `turn:host:port` with a name and a password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IceServer {
    /// The URL of one server, without name and password.
    pub urls: String,
    /// The user name, of a TURN server only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The password, of a TURN server only. Every visitor of the page gets it, so it is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What is wrong with the text of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IceServerError {
    #[error("a server looks like stun:example.org:3478 or turn:NAME:PASSWORD@example.org:3478")]
    Form,
    #[error("each part has at most {PART_MAX_BYTES} bytes")]
    TooLong,
    #[error("a TURN server needs a name and a password, a STUN server has none")]
    Credentials,
}

impl IceServer {
    /// Checks the form: a browser refuses a whole connection because of one invalid server.
    pub fn check(&self) -> Result<(), IceServerError> {
        let parts = [Some(&self.urls), self.username.as_ref(), self.credential.as_ref()];
        if parts.into_iter().flatten().any(|part| part.len() > PART_MAX_BYTES) {
            return Err(IceServerError::TooLong);
        }
        let (scheme, host) = self.urls.split_once(':').ok_or(IceServerError::Form)?;
        let plain = |letter: char| letter.is_ascii_alphanumeric() || ".-:[]?=_".contains(letter);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(IceServerError::Form);
        }
        let credentials = self.username.is_some() && self.credential.is_some();
        match scheme {
            "stun" | "stuns" if self.username.is_none() && self.credential.is_none() => Ok(()),
            "turn" | "turns" if credentials => Ok(()),
            "stun" | "stuns" | "turn" | "turns" => Err(IceServerError::Credentials),
            _ => Err(IceServerError::Form),
        }
    }
}

impl FromStr for IceServer {
    type Err = IceServerError;

    /// Parses `stun:HOST:PORT` or `turn:NAME:PASSWORD@HOST:PORT`. The last `@` ends the password, which may contain
    /// others.
    fn from_str(text: &str) -> Result<Self, IceServerError> {
        let (scheme, rest) = text.split_once(':').ok_or(IceServerError::Form)?;
        let server = match rest.rsplit_once('@') {
            None => Self { urls: text.to_owned(), username: None, credential: None },
            Some((user, host)) => {
                let (name, password) = user.split_once(':').ok_or(IceServerError::Credentials)?;
                let urls = format!("{scheme}:{host}");
                Self { urls, username: Some(name.to_owned()), credential: Some(password.to_owned()) }
            }
        };
        server.check()?;
        Ok(server)
    }
}

/// Without the password.
impl fmt::Debug for IceServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.urls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stun_and_turn_servers_parse_and_nothing_else() {
        let server = |text: &str| text.parse::<IceServer>();
        assert_eq!(server("stun:example.org:3478").map(|server| server.urls), Ok("stun:example.org:3478".to_owned()));
        let turn = server("turn:ada:se:cr@t@example.org:3478").expect("a password may hold anything");
        assert_eq!(turn.urls, "turn:example.org:3478");
        assert_eq!((turn.username.as_deref(), turn.credential.as_deref()), (Some("ada"), Some("se:cr@t")));
        assert!(!format!("{turn:?}").contains("cr@t"), "a password is not logged");
        for (text, why) in [
            ("example.org", IceServerError::Form),
            ("stun:", IceServerError::Form),
            ("stun:exa mple.org", IceServerError::Form),
            ("http:example.org", IceServerError::Form),
            ("turn:example.org", IceServerError::Credentials),
            ("turn:ada@example.org", IceServerError::Credentials),
            ("stun:ada:secret@example.org", IceServerError::Credentials),
        ] {
            assert_eq!(server(text), Err(why), "{text}");
        }
        assert_eq!(server(&format!("stun:{}", "a".repeat(PART_MAX_BYTES))), Err(IceServerError::TooLong));
    }
}
