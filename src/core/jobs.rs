//! CPU-heavy work as data: a [`Job`] goes to a worker where there is one, else it runs on the calling thread, and a
//! [`JobOutput`] comes back.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::archive::bundle;
use crate::guide::{GuidePage, RenderedGuide};
use crate::identity::Topic;
use crate::lockfile::{Lockfile, LockfileError};
use crate::markdown::{guide_to_html, to_html};
use crate::proof_of_work::{PowJob, solve};
use crate::sealing::{SealError, StretchJob, StretchedKey, stretch};
use crate::sync::exchange::{PreparedPage, prepare_page};
use crate::validation::run_budget::{Allotment, Demand};
use crate::validation::run_limits::{RunLimitError, survey, write_limits};
use crate::validation::{Report, validate};

/// The version of these messages. A page may meet the worker of another build.
pub const PROTOCOL: u32 = 5;

/// A job and all that it needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Job {
    /// Derives a key from a passphrase; takes a second or so on purpose.
    Stretch(StretchJob),
    /// Validates a file. A hostile one may take a second.
    Validate(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Validates a file and returns which memories and tables it defines, so that a run's budget can be divided.
    Survey(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Writes its part of a run's budget into a module that was surveyed.
    Confine {
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        allotment: Allotment,
    },
    /// Parses a lockfile.
    ReadLockfile(String),
    /// Writes a lockfile.
    WriteLockfile(Lockfile),
    /// Packs files, given by name, into one zip archive.
    Bundle(Vec<(String, ByteBuf)>),
    /// Renders a stranger's Markdown as HTML.
    Render(String),
    /// Solves a proof of work for a claim.
    Stamp(PowJob),
    /// Renders one page of the guides.
    RenderGuide { page: String, text: String },
    /// Prepares a page of pieces, a message of `/gen/sync/2`, for its admission.
    PreparePage { topic: Topic, page: ByteBuf },
}

/// The result of a job; one variant for each of [`Job`], in the same order.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum JobOutput {
    Stretched(Result<StretchedKey, SealError>),
    Validated(Box<Report>),
    /// The report, and what the module defines if it is valid and can be limited.
    Surveyed(Box<Report>, Result<Demand, RunLimitError>),
    /// The module with its limits.
    Confined(Result<ByteBuf, RunLimitError>),
    LockfileRead(Result<Lockfile, LockfileError>),
    LockfileWritten(Result<String, LockfileError>),
    /// The archive, or `None` if two files have one name.
    Bundled(Option<ByteBuf>),
    Rendered(String),
    Stamped(u64),
    /// `None` if there is no such page.
    GuideRendered(Option<RenderedGuide>),
    PagePrepared(PreparedPage),
}

/// Carries out a job. Blocks the thread until it is done.
pub fn perform(job: &Job) -> JobOutput {
    match job {
        Job::Stretch(job) => JobOutput::Stretched(stretch(job)),
        Job::Validate(bytes) => JobOutput::Validated(Box::new(validate(bytes))),
        Job::Survey(bytes) => {
            let report = validate(bytes);
            // Only what is valid can be read once more.
            let demand = if report.is_valid() { survey(bytes) } else { Err(RunLimitError::Invalid) };
            JobOutput::Surveyed(Box::new(report), demand)
        }
        Job::Confine { bytes, allotment } => JobOutput::Confined(write_limits(bytes, allotment).map(Into::into)),
        Job::ReadLockfile(text) => JobOutput::LockfileRead(Lockfile::parse(text)),
        Job::WriteLockfile(lockfile) => JobOutput::LockfileWritten(lockfile.to_text()),
        Job::Bundle(files) => {
            let bundle = bundle(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
            let bundle = bundle.inspect_err(|error| tracing::error!(%error, "a bundle could not be made"));
            JobOutput::Bundled(bundle.ok().map(Into::into))
        }
        Job::Render(text) => JobOutput::Rendered(to_html(text)),
        Job::Stamp(job) => JobOutput::Stamped(solve(job)),
        Job::RenderGuide { page, text } => {
            JobOutput::GuideRendered(GuidePage::find(page).map(|page| guide_to_html(page, text)))
        }
        Job::PreparePage { topic, page } => JobOutput::PagePrepared(prepare_page(topic, page)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::lockfile::Locked;

    /// Runs a job after it, and returns its output after that, went through the encoding of a worker.
    fn round_trip(job: &Job) -> JobOutput {
        let bytes = cbor4ii::serde::to_vec(Vec::new(), job).unwrap();
        let product = perform(&cbor4ii::serde::from_slice(&bytes).unwrap());
        cbor4ii::serde::from_slice(&cbor4ii::serde::to_vec(Vec::new(), &product).unwrap()).unwrap()
    }

    #[test]
    fn reports_and_limited_modules_round_trip() {
        let good = b"\0asm\x01\0\0\0\x05\x03\x01\0\x01".to_vec();
        for (bytes, valid) in [(good.clone(), true), (b"<!doctype html>".to_vec(), false)] {
            let JobOutput::Validated(report) = round_trip(&Job::Validate(bytes.clone())) else {
                panic!("another product")
            };
            assert_eq!(*report, validate(&bytes));
            assert_eq!(report.is_valid(), valid);
            let JobOutput::Surveyed(same, demand) = round_trip(&Job::Survey(bytes.clone())) else {
                panic!("another product")
            };
            assert_eq!(same, report);
            assert_eq!(demand, if valid { survey(&bytes) } else { Err(RunLimitError::Invalid) });
            let allotment = Allotment { memories: vec![16], tables: vec![] };
            let job = Job::Confine { bytes: bytes.clone(), allotment: allotment.clone() };
            let JobOutput::Confined(confined) = round_trip(&job) else { panic!("another product") };
            assert_eq!(confined.map(serde_bytes::ByteBuf::into_vec), write_limits(&bytes, &allotment));
        }
        let job = Job::Confine { bytes: good, allotment: Allotment::default() };
        let JobOutput::Confined(confined) = round_trip(&job) else { panic!("another product") };
        assert_eq!(confined, Err(RunLimitError::Invalid), "its memory would have no maximum");
    }

    #[test]
    fn lockfiles_and_their_errors_round_trip() {
        let module = |name: &str, requirement| Locked {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            sha256: Digest::of(name.as_bytes()),
            signer: "did:gen:z7v1".to_owned(),
            requirement,
        };
        let lockfile = Lockfile::new(vec![module("app", Some("^1".to_owned())), module("base", None)]);
        let job = Job::WriteLockfile(lockfile.clone());
        let JobOutput::LockfileWritten(Ok(text)) = round_trip(&job) else { panic!("it can be written") };
        let read = |text: &str| match round_trip(&Job::ReadLockfile(text.to_owned())) {
            JobOutput::LockfileRead(read) => read,
            other => panic!("{other:?}"),
        };
        assert_eq!(read(&text), Ok(lockfile));
        assert_eq!(read(&text.replacen("version = 1", "version = 2", 1)), Err(LockfileError::UnknownFormat(2)));
        assert_eq!(read(&" ".repeat(1024 * 1024 + 1)), Err(LockfileError::TooLong));
        assert!(matches!(read("not a lockfile"), Err(LockfileError::Unreadable(_))));
    }

    #[test]
    fn renders_a_readme_as_html() {
        let JobOutput::Rendered(html) = round_trip(&Job::Render("**x**".to_owned())) else { panic!("another product") };
        assert_eq!(html, "<p><strong>x</strong></p>\n");
    }

    #[test]
    fn rendered_guides_round_trip() {
        let render = |page: &str| round_trip(&Job::RenderGuide { page: page.to_owned(), text: "## A".to_owned() });
        let JobOutput::GuideRendered(Some(guide)) = render("operating") else { panic!("another product") };
        assert_eq!((guide.html.as_str(), guide.sections.len()), ("<h2 id=\"a\">A</h2>\n", 1));
        assert!(matches!(render("../operating"), JobOutput::GuideRendered(None)));
    }

    #[test]
    fn bundles_files_and_refuses_a_name_twice() {
        let file = |name: &str, bytes: &[u8]| (name.to_owned(), ByteBuf::from(bytes));
        let files = vec![file("a.wasm", b"\0asm"), file("b.toml", b"version = 1")];
        let JobOutput::Bundled(Some(bundle)) = round_trip(&Job::Bundle(files.clone())) else {
            panic!("it can be made")
        };
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bundle.into_vec())).unwrap();
        for (name, bytes) in files {
            let mut found = Vec::new();
            std::io::copy(&mut archive.by_name(&name).unwrap(), &mut found).unwrap();
            assert_eq!(found, bytes.as_slice(), "{name}");
        }
        let twice = vec![file("a", b"1"), file("a", b"2")];
        assert!(matches!(round_trip(&Job::Bundle(twice)), JobOutput::Bundled(None)));
    }
}
