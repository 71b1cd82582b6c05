//! Stories of installing, with whole nodes and a real network between them.

use std::cell::RefCell;
use std::rc::Rc;

use gen_registry_api::*;

use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};

fn modules(command: ModuleCommand) -> Command {
    Command::Modules { command }
}

fn wanted(name: &str, requirement: &str) -> Vec<Requirement> {
    vec![Requirement { name: name.to_owned(), requirement: requirement.to_owned() }]
}

fn install(name: &str, requirement: &str) -> ModuleCommand {
    ModuleCommand::Install { requirements: wanted(name, requirement), accept: Vec::new() }
}

impl TestNode {
    async fn ask(&self, command: ModuleCommand) -> Result<Answer, Failure> {
        self.node.handle(modules(command)).await
    }

    async fn installed(&self, command: ModuleCommand) -> Vec<(String, String)> {
        match self.ask(command).await.unwrap() {
            Answer::Installed(modules) => {
                modules.into_iter().map(|module| (module.name, module.summary.version)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    async fn page(&self, name: &str) -> ModulePage {
        self.module(name).await.expect("a module that is known")
    }

    async fn knows(&self, name: &str, version: &str) -> bool {
        self.module(name).await.is_some_and(|page| page.latest.as_deref() == Some(version))
    }

    async fn read(&self, name: &str, version: &str) -> Result<Vec<u8>, FailureCode> {
        let command = ModuleCommand::Read { name: name.to_owned(), version: version.to_owned() };
        match self.ask(command).await {
            Ok(Answer::Bytes(bytes)) => Ok(bytes),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure.code),
        }
    }
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
}

/// `app` needs `mid ^1.0.0`, which needs `base >=2.0.0`.
#[test]
fn module_and_its_dependencies_come_from_any_peer_that_has_them() {
    in_one_thread(async {
        let relay = relay().await;
        let (alice, bob) = (TestNode::join(network(&relay)).await, TestNode::join(network(&relay)).await);
        alice.claim("alice_smith").await.unwrap();
        alice.publish(draft("base", "2.1.0", wasm("base", 1), &[])).await;
        alice.publish(draft("mid", "1.2.0", wasm("mid", 2), &[("base", ">=2.0.0")])).await;
        alice.publish(draft("app", "0.1.0", wasm("app", 3), &[("mid", "^1.0.0")])).await;
        eventually("bob knows the module", async || bob.knows("app", "0.1.0").await).await;

        let told: Rc<RefCell<Vec<String>>> = Rc::default();
        let hears = told.clone();
        bob.node.subscribe(Rc::new(move |event| {
            if let Event::Installing { progress: InstallProgress { name, stage: InstallStage::Installed, .. } } = event
            {
                hears.borrow_mut().push(name.clone());
            }
        }));
        assert_eq!(bob.read("app", "0.1.0").await, Err(FailureCode::ContentMissing));
        let plan = match bob.ask(ModuleCommand::Resolve { requirements: wanted("app", "*") }).await.unwrap() {
            Answer::Plan(plan) => plan,
            other => panic!("{other:?}"),
        };
        let order: Vec<&str> = plan.steps.iter().map(|step| &*step.name).collect();
        assert_eq!(order, ["base", "mid", "app"]);
        assert_eq!(plan.to_fetch, plan.steps.iter().map(|step| step.summary.size).sum::<u64>());
        let installed = bob.installed(install("app", "*")).await;
        assert_eq!(installed, pairs(&[("app", "0.1.0"), ("base", "2.1.0"), ("mid", "1.2.0")]));
        assert_eq!(*told.borrow(), ["base", "mid", "app"], "installed in this order");

        let page = bob.page("app").await;
        let needed: Vec<_> = page.needed.iter().map(|needed| (&*needed.name, needed.needs.join(" "))).collect();
        assert_eq!(needed, [("base", String::new()), ("mid", "base".to_owned()), ("app", "mid".to_owned())]);
        assert_eq!(
            (page.unresolved, page.installed.map(|installed| installed.summary.version)),
            (None, Some("0.1.0".to_owned()))
        );
        let bundle = match bob.ask(ModuleCommand::ExportAll).await.unwrap() {
            Answer::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        };
        let mut files = zip::ZipArchive::new(std::io::Cursor::new(bundle)).unwrap();
        let mut packed = Vec::new();
        std::io::copy(&mut files.by_name("mid-1.2.0.wasm").unwrap(), &mut packed).unwrap();
        assert_eq!((files.len(), packed), (4, wasm("mid", 2)));

        // The author leaves; a third person gets it from the second.
        alice.leave().await;
        let store = bob.leave().await;
        let bob = TestNode::join_with(store, network(&relay)).await;
        assert_eq!(bob.installed(ModuleCommand::ListInstalled).await, installed, "also after a restart");
        assert_eq!(bob.read("app", "0.1.0").await, Ok(wasm("app", 3)));
        let charlie = TestNode::join(network(&relay)).await;
        eventually("charlie knows the module", async || charlie.knows("app", "0.1.0").await).await;
        assert_eq!(charlie.installed(install("app", "^0.1")).await, installed);
        assert_eq!(charlie.read("base", "2.1.0").await, Ok(wasm("base", 1)));
    });
}

#[test]
fn failed_installation_gives_a_reason_and_changes_nothing() {
    in_one_thread(async {
        let relay = relay().await;
        let alice = TestNode::join(network(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
        alice.publish(draft("base", "1.0.0", wasm("base", 1), &[])).await;
        alice.publish(draft("app", "1.0.0", wasm("app", 2), &[("base", "^1")])).await;
        alice.publish(draft("lost", "1.0.0", wasm("lost", 3), &[("nowhere", "^1")])).await;
        alice.publish(draft("ring", "1.0.0", wasm("ring", 4), &[("chain", "1")])).await;
        alice.publish(draft("chain", "1.0.0", wasm("chain", 5), &[("ring", "1")])).await;
        let before = alice.installed(install("app", "^1")).await;
        for (name, requirement, code, words) in [
            ("app", "^2", FailureCode::Unresolvable, "app"),
            ("lost", "*", FailureCode::DependencyUnknown, "nowhere"),
            ("ring", "*", FailureCode::Unresolvable, "circle"),
            ("nobody", "*", FailureCode::UnknownModule, "nobody"),
            ("app", "one", FailureCode::VersionInvalid, "one"),
        ] {
            let failure = alice.ask(install(name, requirement)).await.unwrap_err();
            assert_eq!(failure.code, code, "{failure}");
            assert!(failure.message.contains(words), "{failure}");
        }
        assert!(
            alice.page("lost").await.unresolved.is_some_and(|failure| failure.message.contains("nowhere")),
            "its page says so too"
        );
        let failure = alice.ask(ModuleCommand::Uninstall { name: "base".into() }).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::NeededByOthers);
        assert_eq!(alice.installed(ModuleCommand::ListInstalled).await, before);
        assert_eq!(
            alice.installed(ModuleCommand::Uninstall { name: "app".into() }).await,
            [],
            "and what only it needed"
        );

        // Nobody who has the bytes is here.
        let bob = TestNode::join(network(&relay)).await;
        eventually("bob knows the module", async || bob.knows("app", "1.0.0").await).await;
        alice.leave().await;
        eventually("bob is alone", async || bob.network().await.peers.is_empty()).await;
        let failure = bob.ask(install("app", "*")).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::ContentMissing, "{failure}");
        assert_eq!(bob.installed(ModuleCommand::ListInstalled).await, []);
    });
}

#[test]
fn update_with_new_imports_needs_consent() {
    in_one_thread(async {
        let alice = TestNode::join(network(&relay().await)).await;
        alice.claim("alice_smith").await.unwrap();
        alice.publish(draft("app", "1.0.0", wasm("f", 1), &[])).await;
        alice.installed(install("app", "*")).await;
        let asking = wat::parse_str("(module (import \"env\" \"read\" (func)))").unwrap();
        alice.publish(draft("app", "1.1.0", asking, &[])).await;
        let failure = alice.ask(install("app", "*")).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::NewImports);
        assert!(failure.message.contains("env.read"), "{failure}");
        assert_eq!(alice.installed(ModuleCommand::ListInstalled).await, pairs(&[("app", "1.0.0")]));
        let accepted = ModuleCommand::Install { requirements: wanted("app", "*"), accept: vec!["app".to_owned()] };
        assert_eq!(alice.installed(accepted).await, pairs(&[("app", "1.1.0")]));
    });
}

#[test]
fn new_imports_of_dependencies_are_accepted_by_name_or_all_at_once() {
    in_one_thread(async {
        let relay = relay().await;
        let (alice, bob) = (TestNode::join(network(&relay)).await, TestNode::join(network(&relay)).await);
        alice.claim("alice_smith").await.unwrap();
        let asking = wat::parse_str("(module (import \"env\" \"read\" (func)))").unwrap();
        alice.publish(draft("base", "1.0.0", wasm("base", 1), &[])).await;
        alice.publish(draft("app", "1.0.0", wasm("app", 2), &[("base", "^1")])).await;
        let old = pairs(&[("app", "1.0.0"), ("base", "1.0.0")]);
        for party in [&alice, &bob] {
            eventually("the module is known", async || party.knows("app", "1.0.0").await).await;
            assert_eq!(party.installed(install("app", "*")).await, old);
        }
        alice.publish(draft("base", "1.1.0", asking, &[])).await;
        alice.publish(draft("app", "1.1.0", wasm("app", 3), &[("base", "^1.1")])).await;

        let accepting = |names: &[&str]| ModuleCommand::Install {
            requirements: wanted("app", "*"),
            accept: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let failure = alice.ask(accepting(&["app"])).await.unwrap_err();
        assert_eq!(failure.code, FailureCode::NewImports, "to accept what the module asks for is not enough");
        assert!(
            failure.message.to_lowercase().contains("base 1.1.0") && failure.message.contains("env.read"),
            "{failure}"
        );
        assert_eq!(alice.installed(ModuleCommand::ListInstalled).await, old);
        let new = pairs(&[("app", "1.1.0"), ("base", "1.1.0")]);
        assert_eq!(alice.installed(accepting(&["app", "base"])).await, new);

        let lockfile = match alice.ask(ModuleCommand::ExportLockfile).await.unwrap() {
            Answer::Lockfile(text) => text,
            other => panic!("{other:?}"),
        };
        eventually("bob knows the newer one", async || bob.knows("app", "1.1.0").await).await;
        let import = |accept: &[&str]| ModuleCommand::ImportLockfile {
            text: lockfile.clone(),
            accept: accept.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(bob.ask(import(&["app"])).await.unwrap_err().code, FailureCode::NewImports);
        assert_eq!(bob.installed(ModuleCommand::ListInstalled).await, old);
        assert_eq!(bob.installed(import(&[ACCEPT_ALL])).await, new);
    });
}

#[test]
fn lockfile_installs_exactly_its_versions() {
    in_one_thread(async {
        let relay = relay().await;
        let (alice, bob) = (TestNode::join(network(&relay)).await, TestNode::join(network(&relay)).await);
        alice.claim("alice_smith").await.unwrap();
        alice.publish(draft("base", "1.0.0", wasm("base", 1), &[])).await;
        alice.publish(draft("app", "1.0.0", wasm("app", 2), &[("base", "^1")])).await;
        let installed = alice.installed(install("app", "^1")).await;
        let lockfile = match alice.ask(ModuleCommand::ExportLockfile).await.unwrap() {
            Answer::Lockfile(text) => text,
            other => panic!("{other:?}"),
        };
        alice.publish(draft("base", "1.1.0", wasm("base", 3), &[])).await;
        eventually("bob knows the newer one", async || bob.knows("base", "1.1.0").await).await;
        let import = |text: &str| ModuleCommand::ImportLockfile { text: text.to_owned(), accept: Vec::new() };
        let other_bytes = lockfile.replacen("sha256 = \"", "sha256 = \"0000", 1);
        let shifted = lockfile.replace("version = \"1.0.0\"", "version = \"1.1.0\"");
        for (text, code) in [
            ("not a lockfile", FailureCode::LockfileInvalid),
            (&*other_bytes, FailureCode::LockfileInvalid),
            (&*shifted, FailureCode::UnknownModule),
            (&*lockfile.replace("did:gen:z", "did:gen:zz"), FailureCode::LockfileInvalid),
        ] {
            assert_eq!(bob.ask(import(text)).await.unwrap_err().code, code, "{text}");
        }
        assert_eq!(bob.installed(import(&lockfile)).await, installed, "the older base, as it says");
        assert_eq!(bob.installed(install("base", "*")).await, pairs(&[("app", "1.0.0"), ("base", "1.1.0")]));
    });
}
