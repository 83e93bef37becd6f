//! The fixed bounds of the published language. Bounds that an operator can set live in `server`.

/// Longest user id, in bytes.
pub const USER_ID_BYTES: usize = 128;
/// Longest device id, in bytes.
pub const DEVICE_ID_BYTES: usize = 64;
/// Longest text of a message, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 16_384;
/// Longest metadata of a message, in bytes of compact JSON.
pub const METADATA_BYTES: usize = 4_096;
/// Deepest nesting of a message's metadata (the outer object counts as one).
pub const METADATA_DEPTH: usize = 8;
/// Longest name of a conversation, in characters (Unicode scalar values).
pub const NAME_CHARS: usize = 128;
/// Deepest nesting of any JSON that a client sends.
pub const JSON_DEPTH: usize = 32;
/// Most user ids named when a conversation is created, besides the creator.
pub const FOUNDING_MEMBERS: usize = 100;
/// Most members of a group.
pub const GROUP_MEMBERS: u32 = 1_000;
/// Most members of a channel.
pub const CHANNEL_MEMBERS: u32 = 1_000_000;
/// Above this many members Delivered is not recorded and Read is shown to oneself only.
pub const RECEIPTS_PUBLIC_MEMBERS: u32 = 256;
/// Most items of one page.
pub const PAGE_MAX: u32 = 200;
/// Items of a page when the client does not say.
pub const PAGE_DEFAULT: u32 = 50;
/// Most users in one presence query.
pub const PRESENCE_USERS: usize = 100;
/// Longest `ref` of a frame, in bytes.
pub const REF_BYTES: usize = 64;
/// Longest position token, in bytes.
pub const POSITION_BYTES: usize = 1_024;
/// Most position tokens in one request's `Verbatim-After`.
pub const POSITION_TOKENS: usize = 16;
/// Largest record of `chat.events`, in bytes: far above what the command API can make, and small
/// enough that the ruling of the largest event fits one record of `chat.timeline`.
pub const EVENT_BYTES: usize = 128 * 1024;
/// Largest record of `chat.timeline`, in bytes.
pub const RULING_BYTES: usize = 512 * 1024;
/// How far ahead of the log's time a command's id may lie, in milliseconds (5 minutes). A user whose
/// ids fill the memory can't use earlier ones any more, so this is also how long a clock that is
/// ahead can keep that user's other devices out of a conversation.
pub const ID_FUTURE_MS: u64 = 5 * 60 * 1_000;
/// How long a command's id is remembered, in milliseconds of log time (7 days).
pub const ID_MEMORY_MS: u64 = 7 * 24 * 3_600 * 1_000;
/// How many ids are remembered for one (conversation, actor).
pub const ID_MEMORY_COUNT: u32 = 1_024;
