//! Asking for the history of a channel, by services that do not exchange with peers themselves.

use std::cell::RefCell;

use futures::channel::mpsc;

use crate::net::key::NetPeerId;
use gen_registry_core::chat::ChannelName;

/// A channel whose history is requested.
pub(crate) struct HistoryRequest {
    /// The channel.
    pub(crate) channel: ChannelName,
    /// The member to ask; `None` for all connected members.
    pub(crate) from: Option<NetPeerId>,
}

/// The queue to the task that asks peers for history, once it runs.
#[derive(Default)]
pub(crate) struct HistoryRequests(RefCell<Option<mpsc::UnboundedSender<HistoryRequest>>>);

impl HistoryRequests {
    /// Opens the queue; an older one ends.
    pub(crate) fn open(&self) -> mpsc::UnboundedReceiver<HistoryRequest> {
        // Unbounded: one request for each channel that this profile or a connected person joins.
        let (sender, receiver) = mpsc::unbounded();
        *self.0.borrow_mut() = Some(sender);
        receiver
    }

    /// Requests a channel's history of `from`, or of its members. Does nothing without a network.
    pub(crate) fn ask(&self, channel: ChannelName, from: Option<NetPeerId>) {
        if let Some(sender) = &*self.0.borrow() {
            // Without peers there is none to ask.
            sender.unbounded_send(HistoryRequest { channel, from }).ok();
        }
    }
}
