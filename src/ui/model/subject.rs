//! What can be followed, blocked or trusted, and its written form.

use std::fmt;

/// A person, a peer, a module or a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectRef {
    /// By `did:gen:…`.
    Person(String),
    /// A node, by its peer id.
    Peer(String),
    /// By its name.
    Module(String),
    Tag(String),
}

impl SubjectRef {
    /// Reads `person:…`, `peer:…`, `module:…` or `tag:…`. Returns `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(':')?;
        let id = id.to_owned();
        match kind {
            "person" => Some(Self::Person(id)),
            "peer" => Some(Self::Peer(id)),
            "module" => Some(Self::Module(id)),
            "tag" => Some(Self::Tag(id)),
            _ => None,
        }
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Peer(id) => write!(f, "peer:{id}"),
            Self::Module(id) => write!(f, "module:{id}"),
            Self::Tag(id) => write!(f, "tag:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_form_is_read_again() {
        for text in ["person:did:gen:z7v1", "peer:12D3KooW", "module:crc32", "tag:a:b c", "tag:", "module:żółw"] {
            assert_eq!(SubjectRef::parse(text).map(|subject| subject.to_string()).as_deref(), Some(text));
        }
        assert_eq!(SubjectRef::parse("person:did:gen:z1"), Some(SubjectRef::Person("did:gen:z1".to_owned())));
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "person", "Person:x", "people:x", ":x"] {
            assert_eq!(SubjectRef::parse(text), None, "{text}");
        }
    }
}
