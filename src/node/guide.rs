//! Rendering the guides for the page. The page brings their text; what renders it is part of the worker's program only.

use crate::context::Context;
use gen_registry_api::*;
use gen_registry_core::guide::GUIDE_MAX_BYTES;
use gen_registry_core::jobs::{Job, JobOutput};

/// Renders one guide in a worker. `page` is its file's name, `text` its Markdown of at most [`GUIDE_MAX_BYTES`].
pub(crate) async fn render(context: &Context, page: String, text: String) -> Result<RenderedGuide, Failure> {
    if text.len() > GUIDE_MAX_BYTES {
        let message = format!("A guide has at most {} KiB; this text is longer.", GUIDE_MAX_BYTES / 1024);
        return Err(Failure::new(FailureCode::InvalidArgument, message, "Read another guide."));
    }
    match context.environment.run_job(Job::RenderGuide { page, text }).await {
        Some(JobOutput::GuideRendered(Some(guide))) => Ok(guide),
        Some(JobOutput::GuideRendered(None)) => {
            Err(Failure::new(FailureCode::InvalidArgument, "There is no such guide.", "Choose one from the list."))
        }
        _ => Err(Failure::new(
            FailureCode::ReloadNeeded,
            "The part of this app that shows guides could not be started.",
            "Reload the page and try again.",
        )),
    }
}
