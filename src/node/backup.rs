//! Backups: the identity's key, everything that its logs say, and its pictures in one encrypted file.
//!
//! ```text
//!   "GENREGBK"  format, 1 byte  cost, salt, nonce  │  sealed: CBOR of `Contents`           │  SHA-256 of all before it
//!   ──────────── head: authenticated with it ──────┘  XChaCha20-Poly1305, key by Argon2id    32 bytes
//! ```
//!
//! The checksum distinguishes a damaged file from a wrong passphrase: authenticated encryption alone would report both
//! alike. A file is treated as hostile until it is checked: its size, its cost, the version that wrote it, its network,
//! and every signature in it. A refused file changes nothing. Importing admits the entries first and adopts the keys
//! last: if the disk fills up in between, there is one more replica and nothing else is different.
//!
//! A device key is not in the file: two profiles with one would contradict each other. An import makes a new device of the
//! identity.

use std::rc::Rc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::VERSION;
use crate::admit::Admission;
use crate::context::Context;
use crate::errors;
use crate::key_state::{Keys, Secrets};
use crate::key_store::{KeyStore, check_new_passphrase, seal_failed};
use crate::registry::Registry;
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, Table};
use gen_registry_api::*;
use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::digest::{Digest, block_cid};
use gen_registry_core::document::checkpoint::DATA_MAX_BYTES;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::Did;
use gen_registry_core::limits::BLOCK_MAX_BYTES;
use gen_registry_core::log::chain::CHANGES_MAX_BYTES;
use gen_registry_core::log::{FACTS_MAX_BYTES, Opening};
use gen_registry_core::sealing::{self, COST, Cost, NONCE_BYTES, SALT_BYTES, StretchJob};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;

const MAGIC: &[u8; 8] = b"GENREGBK";
const FORMAT: u8 = 2;
const CHECKSUM_BYTES: usize = 32;
/// Blocks that a backup may carry: the present picture, and the data of two checkpoints.
const BACKUP_MAX_BLOCKS: usize = 1 + 2 * DATA_MAX_BYTES.div_ceil(BLOCK_MAX_BYTES);
/// The largest backup: a full facts log and changes log with what confirms them, the blocks, and room for the wrapping.
pub(super) const BACKUP_MAX_BYTES: usize =
    2 * (FACTS_MAX_BYTES + CHANGES_MAX_BYTES) as usize + BACKUP_MAX_BLOCKS * BLOCK_MAX_BYTES;

/// What is sealed in the file.
#[derive(Serialize, Deserialize)]
struct Contents {
    /// The program that wrote it (semantic version).
    program: String,
    topic: Topic,
    /// The opening of the device that wrote it, from which the identity follows.
    #[serde(with = "serde_bytes")]
    opening: Vec<u8>,
    secrets: Secrets,
    /// Whether the person has shown to have the recovery words.
    has_words: bool,
    /// Entries and what confirms them, each in the encoding of the sync protocol.
    pieces: Vec<serde_bytes::ByteBuf>,
    blocks: Vec<serde_bytes::ByteBuf>,
    exported_at: Timestamp,
}

/// What a backup brought.
pub(crate) struct ImportedBackup {
    /// Entries that were not stored here before.
    pub(crate) new_changes: u64,
    /// When it was exported.
    pub(crate) exported_at: Timestamp,
}

struct BackupEnvelope<'a> {
    cost: Cost,
    salt: [u8; SALT_BYTES],
    nonce: [u8; NONCE_BYTES],
    sealed: &'a [u8],
}

/// The service that writes and reads backups.
pub(crate) struct Backups {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    admission: Rc<Admission>,
}

impl Backups {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        admission: Rc<Admission>,
    ) -> Self {
        Self { context, keys, registry, admission }
    }

    /// Returns a backup under a passphrase, and records that one was made. Damaged changes are left out.
    pub(super) async fn export_backup(&self, passphrase: String) -> Result<BackupFile, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        check_new_passphrase(&passphrase)?;
        let keys = self.keys.keys()?;
        let own = keys.did();
        let now = self.context.environment.now();
        let pieces = self.registry.pieces_of(&own).await.map_err(errors::store_failed)?;
        let pieces = pieces.iter().map(|piece| piece.encode_alone().into()).collect();
        let has_words = self.keys.settings().phrase_checked;
        let contents = Contents {
            program: VERSION.to_owned(),
            topic: self.context.network.topic,
            opening: keys.opening.encode(),
            secrets: keys.secrets_without_device(),
            has_words,
            pieces,
            blocks: self.own_blocks().await?,
            exported_at: now,
        };
        let plain = Zeroizing::new(cbor4ii::serde::to_vec(Vec::new(), &contents).map_err(|_| errors::internal())?);
        let (mut salt, mut nonce) = ([0; SALT_BYTES], [0; NONCE_BYTES]);
        self.context.environment.random(&mut salt);
        self.context.environment.random(&mut nonce);
        let key = self.keys.stretch(StretchJob { passphrase: passphrase.into(), salt, cost: COST }).await;
        let head = head(COST, &salt, &nonce);
        let sealed = sealing::seal(&key.map_err(seal_failed)?, &nonce, &head, &plain);
        let mut bytes = head;
        bytes.extend_from_slice(&Encoder::new().bytes(&sealed).finish());
        let checksum = Digest::of(&bytes);
        bytes.extend_from_slice(checksum.as_bytes());

        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        settings.last_backup_at = Some(now);
        self.keys.save_settings(settings).await?;
        self.context.emit(&Event::MeChanged);
        let name =
            self.registry.read_model().username_of(&own).map_or_else(|| "identity".to_owned(), ToString::to_string);
        Ok(BackupFile { file_name: format!("{name}.genregistry"), bytes })
    }

    async fn own_blocks(&self) -> Result<Vec<serde_bytes::ByteBuf>, Failure> {
        let own = self.keys.identity();
        let avatar = own.and_then(|own| self.registry.read_model().person(&own)?.profile.avatar.clone());
        let mut cids: Vec<String> = avatar.into_iter().collect();
        if let Some(own) = own {
            cids.extend(self.registry.checkpoint_blocks(&own).await.map_err(errors::store_failed)?);
        }
        let mut blocks = Vec::new();
        for cid in cids.into_iter().take(BACKUP_MAX_BLOCKS) {
            let found = self.context.records.get::<serde_bytes::ByteBuf>(Table::Blocks, &cid).await;
            match found.map_err(errors::store_failed)? {
                StoredRecord::Record(bytes) => blocks.push(bytes),
                StoredRecord::Nothing | StoredRecord::Damaged(_) => {}
            }
        }
        Ok(blocks)
    }

    /// Imports a backup. Fails without a change if it is refused.
    pub(super) async fn import_backup(&self, bytes: &[u8], passphrase: String) -> Result<ImportedBackup, Failure> {
        let envelope = read_envelope(bytes)?;
        let BackupEnvelope { cost, salt, nonce, sealed } = envelope;
        let key = self.keys.stretch(StretchJob { passphrase: passphrase.into(), salt, cost }).await;
        let plain = sealing::open(&key.map_err(seal_failed)?, &nonce, &head(cost, &salt, &nonce), sealed)
            .map_err(|_| wrong())?;
        let contents: Contents =
            cbor4ii::serde::from_slice(&plain).map_err(|_| damaged("its contents can't be read"))?;
        check_program(&contents.program)?;
        if contents.topic != self.context.network.topic {
            return Err(Failure::new(
                FailureCode::BackupOtherNetwork,
                "This backup belongs to another network.",
                "Open it in the app of that network.",
            ));
        }
        let topic = self.context.network.topic;
        let opening = Opening::decode(&topic, &contents.opening).map_err(|_| damaged("it is nobody's"))?;
        let own = opening.did();
        self.keys.check_room_for(&own)?;
        if contents.blocks.len() > BACKUP_MAX_BLOCKS {
            return Err(damaged("it holds more blocks than any backup"));
        }
        let pieces: Vec<Piece> = contents
            .pieces
            .iter()
            .map(|bytes| Piece::decode_alone(bytes).map_err(|_| damaged("an entry in it can't be read")))
            .collect::<Result<_, _>>()?;
        let is_known = self.keys.identity() == Some(own);
        // The keys last: should the disk fill up before, there is a replica more and nothing else is different.
        self.keep_blocks(&contents.blocks).await?;
        let before = self.count_of(&own);
        let report = self.admission.admit_while_writing(pieces, Durability::Strict).await?;
        if !report.outcome.rejections.is_empty() {
            return Err(damaged("an entry in it has no valid signature"));
        }
        if !is_known {
            let number = self.registry.free_device_number(&own);
            let environment = &*self.context.environment;
            let identity = contents.secrets.into_identity();
            let keys = Keys::beside(environment, &topic, &opening, identity, number);
            let keys = keys.ok_or_else(|| damaged("its key is not the identity's"))?;
            self.keys.adopt(keys, contents.has_words).await?;
        }
        self.context.emit(&Event::MeChanged);
        let new_changes = self.count_of(&own).saturating_sub(before);
        Ok(ImportedBackup { new_changes, exported_at: contents.exported_at })
    }

    /// How many entries of an identity are here.
    fn count_of(&self, did: &Did) -> u64 {
        let read_model = self.registry.read_model();
        read_model.registry().logs_of(did).map(|(_, chain)| chain.len() - chain.base()).sum()
    }

    /// Stores the pictures that came with a backup.
    async fn keep_blocks(&self, blocks: &[serde_bytes::ByteBuf]) -> Result<(), Failure> {
        let write = |bytes: &serde_bytes::ByteBuf| put(Table::Blocks, &block_cid(bytes).to_string(), bytes);
        let batch = blocks.iter().filter(|bytes| bytes.len() <= BLOCK_MAX_BYTES).map(write).collect();
        self.context.commit(batch, Durability::Strict).await
    }
}

/// Everything before the sealed part; it is authenticated with it.
fn head(cost: Cost, salt: &[u8; SALT_BYTES], nonce: &[u8; NONCE_BYTES]) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.push(FORMAT);
    let Cost { memory_kib, passes, lanes } = cost;
    let encoder = Encoder::new().integer(memory_kib.into()).integer(passes.into()).integer(lanes.into());
    head.extend_from_slice(&encoder.bytes(salt).bytes(nonce).finish());
    head
}

fn read_envelope(bytes: &[u8]) -> Result<BackupEnvelope<'_>, Failure> {
    if bytes.len() > BACKUP_MAX_BYTES {
        return Err(Failure::new(
            FailureCode::BackupTooLarge,
            format!("The file has {} MiB; no backup has more than {}.", bytes.len() >> 20, BACKUP_MAX_BYTES >> 20),
            "Choose the file that was exported here; its name ends in .genregistry.",
        ));
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| damaged("it is not a backup of this app"))?;
    match rest.first() {
        Some(&FORMAT) => {}
        Some(format) if *format > FORMAT => return Err(newer()),
        _ => return Err(damaged("it is cut short")),
    }
    let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(|| damaged("it is cut short"))?;
    if Digest::of(body).as_bytes() != sum {
        return Err(damaged("its checksum is wrong, so some of it was changed or is missing"));
    }
    parse_envelope(&body[MAGIC.len() + 1..]).map_err(|_| damaged("its parts can't be told apart"))
}

fn parse_envelope(bytes: &[u8]) -> Result<BackupEnvelope<'_>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let mut number = || decoder.integer().and_then(|n| u32::try_from(n).map_err(|_| DecodeError::OutOfRange));
    let cost = Cost { memory_kib: number()?, passes: number()?, lanes: number()? };
    let salt = decoder.bytes()?.try_into().map_err(|_| DecodeError::OutOfRange)?;
    let nonce = decoder.bytes()?.try_into().map_err(|_| DecodeError::OutOfRange)?;
    let sealed = decoder.bytes()?;
    decoder.end()?;
    Ok(BackupEnvelope { cost, salt, nonce, sealed })
}

/// A file of the next incompatible version may hold what this one would drop.
fn check_program(program: &str) -> Result<(), Failure> {
    let theirs: semver::Version = program.parse().map_err(|_| damaged("it does not say which version wrote it"))?;
    let ours: semver::Version = VERSION.parse().map_err(|_| errors::internal())?;
    let compatible = |version: &semver::Version| (version.major, if version.major == 0 { version.minor } else { 0 });
    if compatible(&theirs) > compatible(&ours) { Err(newer()) } else { Ok(()) }
}

/// The file is whole, so it is the passphrase.
fn wrong() -> Failure {
    Failure::new(
        FailureCode::WrongPassphrase,
        "This is not the passphrase of the file.",
        "It is the one that was chosen when the file was exported. Nothing was changed here.",
    )
}

fn newer() -> Failure {
    Failure::new(
        FailureCode::BackupNewer,
        "This backup was made by a newer version of the app.",
        "Reload the page to get the newer version, then import again.",
    )
}

fn damaged(why: &str) -> Failure {
    Failure::new(
        FailureCode::BackupDamaged,
        format!("The file can't be used: {why}."),
        "Use another copy of the backup. Nothing was changed here.",
    )
}
