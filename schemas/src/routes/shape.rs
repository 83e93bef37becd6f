//! What the table says of a route.

use crate::error::Code;

/// Makes the schema of a type, as a reference into the generator's definitions.
pub type SchemaOf = fn(&mut schemars::SchemaGenerator) -> schemars::Schema;

/// One route.
#[derive(Debug)]
pub struct Route {
    /// The method. HEAD comes with GET.
    pub method: Method,
    /// The path; parameters in braces.
    pub path: &'static str,
    /// Its name in OpenAPI, unique.
    pub operation: &'static str,
    /// One sentence for the documents.
    pub summary: &'static str,
    /// Who serves it.
    pub service: Service,
    /// Who may call it.
    pub access: Access,
    /// Parameters of the query string; a request with others is refused.
    pub query: &'static [Param],
    /// The body it takes; none: a body is read within the bound and ignored.
    pub body: Option<SchemaOf>,
    /// What it answers when nothing went wrong.
    pub answers: &'static [Answer],
    /// What can go wrong, in groups.
    pub codes: &'static [&'static [Code]],
    /// Takes `Verbatim-After` and `Verbatim-Wait`.
    pub after: bool,
    /// Answers `Verbatim-Position`.
    pub position: bool,
    /// Takes `Idempotency-Key`.
    pub idempotency: bool,
    /// Takes `Prefer: respond-async`, and may answer `Verbatim-Duplicate`.
    pub command: bool,
}

impl Route {
    /// A route to be filled in with struct update syntax.
    pub(super) const BLANK: Route = Route {
        method: Method::Get,
        path: "",
        operation: "",
        summary: "",
        service: Service::Server,
        access: Access::User,
        query: &[],
        body: None,
        answers: &[],
        codes: &[],
        after: false,
        position: false,
        idempotency: false,
        command: false,
    };

    /// Every code that it can answer, each once, in the table's order.
    pub fn all_codes(&self) -> Vec<Code> {
        let mut codes: Vec<Code> =
            self.codes.iter().flat_map(|group| group.iter().copied()).collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The names of the path's parameters, in order.
    pub fn path_params(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The query parameter of a name.
    pub fn query_param(&self, name: &str) -> Option<&'static Param> {
        self.query.iter().find(|param| param.name == name)
    }
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Sets, repeatably.
    Put,
    /// Adds.
    Post,
    /// Removes, repeatably.
    Delete,
}

impl Method {
    /// As the request line has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }
}

/// Who serves a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The commands.
    CommandApi,
    /// The reads.
    QueryApi,
    /// The socket and its tickets.
    Gateway,
    /// The documents, served by every process.
    Documents,
    /// Health and the development token.
    Server,
    /// Measurements, on an address of its own.
    Metrics,
}

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Anyone,
    /// Anybody, in development mode only.
    Development,
    /// Whoever brings a valid token.
    User,
    /// Whoever brings a valid token, or a ticket in the first frame.
    UserOrTicket,
}

/// A parameter of the query string.
#[derive(Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What it means, with its bounds.
    pub doc: &'static str,
    /// What it holds.
    pub schema: SchemaOf,
    /// Whether it may come more than once.
    pub repeated: bool,
}

/// An answer when nothing went wrong.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// What it means.
    pub doc: &'static str,
    /// The type of the body; none where there is no body.
    pub media: Option<&'static str>,
    /// What the body holds, where it is JSON of ours.
    pub schema: Option<SchemaOf>,
}

/// The schema of a type, for the table.
pub(super) fn of<T: schemars::JsonSchema>(
    generator: &mut schemars::SchemaGenerator,
) -> schemars::Schema {
    generator.subschema_for::<T>()
}

/// A JSON answer of a type.
pub(super) const fn json<T: schemars::JsonSchema>(status: u16, doc: &'static str) -> Answer {
    Answer { status, doc, media: Some("application/json"), schema: Some(of::<T>) }
}

/// An answer without a body.
pub(super) const fn empty(status: u16, doc: &'static str) -> Answer {
    Answer { status, doc, media: None, schema: None }
}

/// A problem whose status is another than that of its code.
pub(super) const fn problem(status: u16, doc: &'static str) -> Answer {
    let schema = of::<crate::error::ProblemBody<'static>>;
    Answer { status, doc, media: Some("application/problem+json"), schema: Some(schema) }
}

/// An answer that is no JSON of ours.
pub(super) const fn other(status: u16, doc: &'static str, media: &'static str) -> Answer {
    Answer { status, doc, media: Some(media), schema: None }
}

/// What every route can answer.
pub(super) const EVERY: &[Code] = &[
    Code::MethodNotAllowed,
    Code::Timeout,
    Code::TooLarge,
    Code::UnknownField,
    Code::HeadersTooLarge,
    Code::RateLimited,
    Code::Unavailable,
];
/// Of routes that need a token.
pub(super) const SIGNED_IN: &[Code] = &[Code::Unauthenticated];
/// Of routes that take a body.
pub(super) const WITH_BODY: &[Code] = &[Code::Malformed, Code::UnsupportedMediaType, Code::Invalid];
/// Of reads.
pub(super) const READ: &[Code] = &[Code::BadPosition, Code::Invalid, Code::Behind];
/// Of routes inside a conversation.
pub(super) const INSIDE: &[Code] = &[Code::ConversationNotFound];
/// Of commands.
pub(super) const COMMAND: &[Code] = &[
    Code::Forbidden,
    Code::IdReused,
    Code::Invalid,
    Code::StaleId,
    Code::FutureId,
    // With `stale_id`, where history has yet to say what it holds.
    Code::Behind,
    Code::OutcomeUnknown,
];
