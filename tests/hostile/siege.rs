//! Many hostile peers of one program that offer a crowd together, as fast as the victim takes it, for as long as is said.
//!
//! They break no rule that their victim could mark: each says fewer messages than it may, answers every question, and reads
//! all that it is told.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures::channel::mpsc::unbounded;
use futures::future::{Either, join_all, select};
use futures::{SinkExt, StreamExt, pin_mut};
use futures_timer::Delay;
use gen_registry_core::digest::Digest;
use gen_registry_core::log::LogId;
use gen_registry_core::registry::{Ask, Detail};
use gen_registry_core::sync::exchange::wire::{Message, Piece, WANT_MAX};

use crate::crowd::{Crowd, Named};
use crate::peer::{Conversation, Mallory, Side, Victim, hello};
use crate::run_beside;

/// Between two offers of one peer: with the answers it stays below the messages that are taken of a peer.
const BETWEEN_OFFERS: Duration = Duration::from_millis(3);
/// Identities that are looked up in the crowd at once.
const READ_AT_ONCE: usize = 16 * WANT_MAX;
/// One that is not connected by then tries again under another name.
const APPROACHED_WITHIN: Duration = Duration::from_secs(10);
/// Before a peer that was sent away comes back under another name.
const BACK_AFTER: Duration = Duration::from_secs(1);

/// What a siege came to so far.
#[derive(Default)]
pub struct Tally {
    pub offered: Cell<usize>,
    /// Identities whose entries the victim asked for.
    pub asked: Cell<usize>,
    pub connected: Cell<usize>,
    /// Conversations that the victim ended.
    pub cut: Cell<usize>,
}

impl Tally {
    /// As JSON.
    pub fn text(&self) -> String {
        let Self { offered, asked, connected, cut } = self;
        format!(
            r#"{{"offered":{},"asked":{},"connected":{},"cut":{}}}"#,
            offered.get(),
            asked.get(),
            connected.get(),
            cut.get()
        )
    }
}

/// What all peers of a siege share.
struct Siege {
    victim: Victim,
    crowd: Crowd,
    next: Cell<usize>,
    numbers: RefCell<BTreeMap<Digest, usize>>,
    tally: Rc<Tally>,
}

/// So many peers offer the crowd for so long.
pub async fn besiege(victim: Victim, crowd: Crowd, peers: usize, duration: Duration, tally: Rc<Tally>) {
    let siege = Siege { victim, crowd, next: Cell::new(0), numbers: RefCell::default(), tally };
    let all = join_all((0..peers).map(|_| siege.attack_again_and_again()));
    pin_mut!(all);
    select(all, Delay::new(duration)).await;
}

impl Siege {
    async fn attack_again_and_again(&self) {
        loop {
            let (mut mallory, life) = Mallory::new(self.victim.clone(), Side::Initiator);
            run_beside(life);
            // Its victim waits for few handshakes at once.
            let beginning = within(APPROACHED_WITHIN, async {
                mallory.approach().await;
                let mut talk = mallory.silent_if_taken().await?;
                talk.say(&Message::Hello(hello(mallory.victim.topic))).await.then_some(talk)
            });
            if let Some(talk) = beginning.await.flatten() {
                self.tally.connected.set(self.tally.connected.get() + 1);
                self.offer(talk).await;
                self.tally.connected.set(self.tally.connected.get() - 1);
                self.tally.cut.set(self.tally.cut.get() + 1);
            }
            Delay::new(BACK_AFTER).await;
        }
    }

    /// Until the victim ends the conversation.
    async fn offer(&self, talk: Conversation) {
        let (mut sink, mut source) = talk.halves();
        let (asked, mut questions) = unbounded();
        let hearing = async {
            while let Some(Ok(bytes)) = source.next().await {
                if let Ok(Message::Need { ticket, asks }) = Message::decode(&bytes) {
                    asked.unbounded_send((ticket, asks)).ok();
                }
            }
        };
        let saying = async {
            let mut some = Vec::new();
            loop {
                if some.is_empty() {
                    some = self.next().await;
                }
                let due = select(questions.next(), Delay::new(BETWEEN_OFFERS)).await;
                let message = match due {
                    Either::Left((Some((ticket, asks)), _)) => self.answer(ticket, &asks).await,
                    Either::Left((None, _)) => return,
                    Either::Right(_) => {
                        let details = some.drain(..WANT_MAX.min(some.len())).map(detail).collect::<Vec<Detail>>();
                        self.tally.offered.set(self.tally.offered.get() + details.len());
                        Message::Details { details, is_last: false }
                    }
                };
                if sink.send(Bytes::from(message.encode())).await.is_err() {
                    return;
                }
            }
        };
        pin_mut!(hearing, saying);
        select(hearing, saying).await;
    }

    /// Identities that nobody offered yet; again from the first when all were.
    async fn next(&self) -> Vec<Named> {
        let from = self.next.get();
        self.next.set(from + READ_AT_ONCE);
        let some = self.crowd.named(from, READ_AT_ONCE).await;
        self.numbers.borrow_mut().extend(some.iter().map(|(number, named)| (named.opening, *number)));
        some.into_iter().map(|(_, named)| named).collect()
    }

    async fn answer(&self, ticket: u64, asks: &[Ask]) -> Message {
        let openings = asks.iter().filter_map(|ask| match ask {
            Ask::Opening(opening) | Ask::Log { log: LogId { opening, .. }, .. } => Some(opening),
            _ => None,
        });
        let numbers: Vec<usize> = {
            let known = self.numbers.borrow();
            openings.filter_map(|opening| known.get(opening).copied()).collect()
        };
        self.tally.asked.set(self.tally.asked.get() + numbers.len());
        let entries = self.crowd.entries(&numbers).await;
        Message::Pieces { ticket, pieces: entries.into_iter().map(Piece::Entry).collect() }
    }
}

async fn within<T>(duration: Duration, doing: impl Future<Output = T>) -> Option<T> {
    pin_mut!(doing);
    match select(doing, Delay::new(duration)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

fn detail(named: Named) -> Detail {
    Detail { did: named.did, openings: vec![named.opening], logs: Vec::new(), beside: Vec::new() }
}
