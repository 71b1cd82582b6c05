//! Where a network is read from: a file, or another server. The owner of `ureq`, the HTTP client.

use std::{convert::Infallible, fmt, fs::File, io, io::Read, path::PathBuf, str::FromStr, time::Duration};

use gen_registry_node::Network;
use gen_registry_node::network::{NetworkParameters, ParametersError};

/// Bytes of a network's file: more than the most changes of the witnesses need.
pub const NETWORK_FILE_MAX_BYTES: u64 = 10 * 1024 * 1024;
/// How long another server may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Where a server says which network it belongs to.
const PATH: &str = "/network.json";

/// Where a network is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkSource {
    File(PathBuf),
    /// `http://` or `https://`: a server, or the address of a file.
    Url(String),
}

/// Why a network can't be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("could not read the network from {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("could not read the network from {url}")]
    Url { url: String, source: Box<ureq::Error> },
    #[error("{0} has more than {NETWORK_FILE_MAX_BYTES} bytes: it is no network")]
    TooLong(NetworkSource),
    #[error("{from} is no network: it is not what /network.json of a server says")]
    Format { from: NetworkSource, source: serde_json::Error },
    #[error("the network in {from} can't be used: {fault}")]
    Parameters { from: NetworkSource, fault: ParametersError },
}

impl NetworkSource {
    /// Reads and checks the network.
    pub fn read(&self) -> Result<Network, SourceError> {
        let text = match self {
            Self::File(path) => {
                let file = |source| SourceError::File { path: path.clone(), source };
                read_bounded(File::open(path).map_err(file)?).map_err(file)?
            }
            Self::Url(url) => {
                let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
                let failed = |source| SourceError::Url { url: url.clone(), source: Box::new(source) };
                let answer = agent.get(document_of(url)).call().map_err(failed)?;
                read_bounded(answer.into_body().into_reader()).map_err(|error| failed(ureq::Error::Io(error)))?
            }
        };
        if text.len() as u64 > NETWORK_FILE_MAX_BYTES {
            return Err(SourceError::TooLong(self.clone()));
        }
        let parameters: NetworkParameters =
            serde_json::from_slice(&text).map_err(|source| SourceError::Format { from: self.clone(), source })?;
        Network::try_from(&parameters).map_err(|fault| SourceError::Parameters { from: self.clone(), fault })
    }
}

/// Reads at most one byte more than a network may have.
fn read_bounded(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(NETWORK_FILE_MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the address of the document: that of a server means its `/network.json`.
fn document_of(url: &str) -> String {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    match host.split_once('/') {
        None => format!("{url}{PATH}"),
        Some((_, "")) => format!("{}{PATH}", url.trim_end_matches('/')),
        Some(_) => url.to_owned(),
    }
}

/// Returns a network as a file has it.
pub fn write(network: &Network) -> String {
    let text = serde_json::to_string_pretty(&NetworkParameters::from(network)).expect("parameters are texts and lists");
    text + "\n"
}

impl FromStr for NetworkSource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = text.starts_with("http://") || text.starts_with("https://");
        Ok(if is_url { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

impl fmt::Display for NetworkSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Url(url) => f.write_str(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_a_server_means_its_document() {
        for (url, document) in [
            ("https://example.org", "https://example.org/network.json"),
            ("https://example.org/", "https://example.org/network.json"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/network.json"),
            ("https://example.org/ours.json", "https://example.org/ours.json"),
        ] {
            assert_eq!(document_of(url), document);
            assert_eq!(url.parse(), Ok(NetworkSource::Url(url.to_owned())));
        }
        assert_eq!("ours.json".parse(), Ok(NetworkSource::File("ours.json".into())));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("network.json");
        let read = |text: &[u8]| {
            std::fs::write(&file, text).unwrap();
            NetworkSource::File(file.clone()).read()
        };
        let good = write(&Network::default());
        assert_eq!(read(good.as_bytes()).unwrap(), Network::default());
        assert!(matches!(read(b"{}"), Err(SourceError::Format { .. })));
        assert!(matches!(read(b"page"), Err(SourceError::Format { .. })));
        let genesis = r#"{"parametersVersion":4,"genesis":"00"}"#;
        assert!(matches!(read(genesis.as_bytes()), Err(SourceError::Parameters { .. })));
        let mut long = good.into_bytes();
        long.resize(NETWORK_FILE_MAX_BYTES as usize, b' ');
        assert!(read(&long).is_ok(), "as long as it may be");
        long.push(b' ');
        assert!(matches!(read(&long), Err(SourceError::TooLong(_))));
        assert!(matches!(NetworkSource::File(folder.path().join("none")).read(), Err(SourceError::File { .. })));
    }
}
