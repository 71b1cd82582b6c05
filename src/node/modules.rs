//! Modules: takes each command about them to the service that carries it out.
//!
//! - what is known, for all of these: `catalog`; pages and lists: `pages`
//! - installing: `install`, `lockfile`, `bundle`; running: `run`; finding: `search`, without the index: `scan`, at peers: `network_search`
//! - what a module's owner does: `publish`; ratings: `rate`

pub(crate) mod answers;
mod bundle;
pub(crate) mod catalog;
mod errors;
pub(crate) mod input;
pub(crate) mod install;
pub(crate) mod installed;
mod lockfile;
pub(crate) mod network_search;
pub(crate) mod opinions;
mod pages;
pub(crate) mod publish;
mod rate;
pub(crate) mod run;
mod scan;
pub(crate) mod search;

use std::rc::Rc;

use crate::RequestId;
use crate::blocks::ContentStore;
use crate::context::Context;
use crate::key_store::KeyStore;
use crate::modules::input::validate;
use crate::registry::Registry;
use crate::witnessing::Witnessing;
use catalog::ModuleCatalog;
use gen_registry_api::*;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::resolver::Versions;
use install::Installer;
use network_search::NetworkSearch;
use publish::Publisher;
use run::Runner;
use search::ModuleSearch;

/// The longest page of a list of modules.
const LIST_MAX: u32 = 200;

/// The service that takes commands about modules to where they are carried out.
pub(crate) struct Modules {
    pub(crate) context: Rc<Context>,
    pub(crate) keys: Rc<KeyStore>,
    pub(crate) registry: Rc<Registry>,
    pub(crate) content: Rc<ContentStore>,
    pub(crate) catalog: Rc<ModuleCatalog>,
    pub(crate) installer: Installer,
    pub(crate) publisher: Publisher,
    pub(crate) witnessing: Rc<Witnessing>,
    pub(crate) runner: Runner,
    pub(crate) search: Rc<ModuleSearch>,
    pub(crate) network_search: Rc<NetworkSearch>,
}

impl Modules {
    /// Carries out a command. Commands that write to the own document take the write lock first.
    pub(super) async fn handle(&self, id: Option<RequestId>, ask: ModuleCommand) -> Result<Answer, Failure> {
        match ask {
            ModuleCommand::Validate { bytes } => Ok(Answer::Report(Box::new(validate(&self.context, bytes).await?))),
            ModuleCommand::CheckName { text } => Ok(Answer::ModuleName(self.catalog.check_name(&text))),
            ModuleCommand::Page { name } => self.module_answer(&name).await,
            ModuleCommand::List { filter, sort, limit, cursor } => {
                Ok(Answer::Modules(self.catalog.list(&filter, sort, limit.clamp(1, LIST_MAX), cursor)))
            }
            ModuleCommand::Search { query, filter, sort, limit, cursor } => {
                Ok(Answer::Found(self.search.search(&query, &filter, sort, limit.clamp(1, LIST_MAX), cursor).await))
            }
            ModuleCommand::SearchNetwork { query, filter, sort, limit } => {
                let found = self.network_search.search(&query, &filter, sort, limit.clamp(1, LIST_MAX)).await;
                Ok(Answer::NetworkFound(Box::new(found)))
            }
            ModuleCommand::Resolve { requirements } => {
                Ok(Answer::Plan(self.installer.report_plan(&requirements).await?))
            }
            ModuleCommand::Install { requirements, accept } => {
                self.installer.install(&requirements, &accept, &Versions::new()).await?;
                Ok(Answer::Installed(self.catalog.list_installed()))
            }
            ModuleCommand::Uninstall { name } => {
                self.installer.uninstall(&name).await?;
                Ok(Answer::Installed(self.catalog.list_installed()))
            }
            ModuleCommand::ImportLockfile { text, accept } => {
                self.installer.import_lockfile(text, &accept).await?;
                Ok(Answer::Installed(self.catalog.list_installed()))
            }
            ModuleCommand::ListInstalled => Ok(Answer::Installed(self.catalog.list_installed())),
            ModuleCommand::ExportLockfile => Ok(Answer::Lockfile(self.installer.export_lockfile().await?)),
            ModuleCommand::Readme { cid } => Ok(Answer::Readme(self.readme(&cid).await?)),
            ModuleCommand::ExportAll => Ok(Answer::Bytes(self.installer.export_all().await?)),
            ModuleCommand::Read { name, version } => Ok(Answer::Bytes(self.catalog.bytes_of(&name, &version).await?)),
            ModuleCommand::Inspect { name, version } => {
                let bytes = self.catalog.bytes_of(&name, &version).await?;
                Ok(Answer::Report(Box::new(validate(&self.context, bytes).await?)))
            }
            ModuleCommand::Run { name, version, function, arguments, text_result } => {
                let outcome = self.runner.run(&name, version.as_deref(), function, &arguments, text_result).await?;
                Ok(Answer::Ran(outcome))
            }
            ModuleCommand::Publish { draft } => {
                let published = self.publish(id, *draft).await?;
                self.witnessing.settle().await;
                self.publisher.complete(published).map(Answer::Published)
            }
            writing => self.write_module(id, writing).await,
        }
    }

    /// Publishes a version; where there are witnesses it is wanted then.
    async fn publish(&self, id: Option<RequestId>, draft: PublishDraft) -> Result<Published, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let done = self.keys.is_done(id.as_ref());
        self.publisher.publish(id, draft, done).await
    }

    /// Carries out a command that writes. One whose id is known already is not carried out again: it answers with the
    /// present state.
    async fn write_module(&self, id: Option<RequestId>, ask: ModuleCommand) -> Result<Answer, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let done = self.keys.is_done(id.as_ref());
        match ask {
            ModuleCommand::Describe { name, changes } => {
                if !done {
                    self.publisher.describe(id, &name, changes).await?;
                }
                self.module_answer(&name).await
            }
            ModuleCommand::Yank { name, version, reason } => {
                if !done {
                    self.publisher.withdraw(id, &name, &version, reason).await?;
                }
                self.module_answer(&name).await
            }
            ModuleCommand::Rate { name, stars, review } => {
                if !done {
                    self.publisher.rate(id, &name, stars, &review).await?;
                }
                self.module_answer(&name).await
            }
            other => {
                tracing::error!(kind = ?std::mem::discriminant(&other), "a question came to the writing side");
                Err(errors::internal())
            }
        }
    }

    /// Returns the page of a module as an answer.
    async fn module_answer(&self, name: &str) -> Result<Answer, Failure> {
        Ok(Answer::Module(self.catalog.page(name).await?.map(Box::new)))
    }

    /// Returns a readme as HTML, rendered in a worker, or `None` if the block is not to be had.
    async fn readme(&self, cid: &str) -> Result<Option<String>, Failure> {
        let Some(block) = self.content.block(cid).await? else { return Ok(None) };
        let text = String::from_utf8_lossy(&block.bytes).into_owned();
        match self.context.environment.run_job(Job::Render(text)).await {
            Some(JobOutput::Rendered(html)) => Ok(Some(html)),
            _ => Err(errors::no_helper()),
        }
    }
}
