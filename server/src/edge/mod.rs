//! Where clients come in: listeners and TLS, the HTTP API, and the sessions that
//! carry requests to the wings behind. It keeps nothing durable and decides no
//! rule of conversations.

pub mod http;
pub mod listen;
pub mod session;
pub mod tls;
