//! What is wrong, too much, too slow or forged gets its documented answer, and the server serves on
//! (G9 and the table of codes).

mod bodies;
mod conversations;
mod frames;
mod generated;
mod handshake;
mod headers;
mod http;
mod positions;
mod queries;
mod rates;
mod target;
mod tokens;
