//! The derive macros of Lampyris: what a message is called, which messages a service takes, what an entity's table is.
//!
//! They write impls of `lampyris`' traits and nothing else, with absolute paths and at the spans of the user's
//! own words, so that the compiler's complaints point there. They know the traits by name only; the traits'
//! documentation has whole examples, and all four macros are in `lampyris::prelude`.

mod attr;
mod callable;
mod command;
mod entity;
mod remote;
mod service;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a type a message to a service on another node: writes `actix::Message`, `Callable` and `Remote`.
///
/// ```text
/// #[derive(Serialize, Deserialize, Remote)]
/// #[remote(name = "gate.login", reply = Account, error = LoginError)]
/// pub struct Login { pub player: String, pub password: String }
/// ```
///
/// | option | meaning | if absent |
/// | --- | --- | --- |
/// | `name = "..."` | the name on the wire, in logs and metrics: 1 to 100 bytes of printable ASCII without spaces | refused |
/// | `reply = TYPE` | the value of success; `Serialize` and `Deserialize` | `()` |
/// | `error = TYPE` | the user's own error; `Serialize`, `Deserialize` and `Display` | `lampyris::error::Failure` |
#[proc_macro_derive(Remote, attributes(remote))]
pub fn derive_remote(input: TokenStream) -> TokenStream {
    expanded(remote::expand(&parse_macro_input!(input as DeriveInput)))
}

/// Makes a struct a game client's command: writes `actix::Message`, `Callable` and `Command`.
///
/// ```text
/// #[derive(Command)]
/// #[command(100, reply = String, serial)]
/// pub struct Hello { pub session: Session, pub name: String }
/// ```
///
/// The fields are at most one named `session`, of type `Session`, and at most one other, the payload, of a type
/// that is `FromClient`: String, Payload, Bytes, `Vec<u8>`, `()`, `Json<T>`, `Msgpack<T>`.
///
/// | option | meaning | if absent |
/// | --- | --- | --- |
/// | the number, first | the command id in the client's frame, from 1; 0 is the error frame's | refused |
/// | `reply = TYPE` | the payload of the frame that answers; `IntoClient` and `Deserialize` | `()`: no frame |
/// | `error = TYPE` | as in `Remote` | `lampyris::error::Failure` |
/// | `serial` | the connection's next command of this number waits for this one's answer | it does not wait |
#[proc_macro_derive(Command, attributes(command))]
pub fn derive_command(input: TokenStream) -> TokenStream {
    expanded(command::expand(&parse_macro_input!(input as DeriveInput)))
}

/// Makes an actor a service: writes `Service`, `Serves` for each message, and `Handler<Wake>`.
///
/// ```text
/// #[derive(Service)]
/// #[service(name = "gate", serves(Login, Logout), commands(Hello), sessions)]
/// pub struct Gate { games: Vec<RemoteAddr<GameRoom>> }
/// ```
///
/// The actor's context is `Context<Self>` or `SyncContext<Self>`. Each message that is listed needs an ordinary
/// `impl Handler<M>`.
///
/// | option | meaning |
/// | --- | --- |
/// | `name = "..."` | the service's name in logs and metrics, spelt as a message's name; required |
/// | `serves(M, ...)` | messages from other nodes |
/// | `contract = C` | in place of `serves`: the list of a contract made by `lampyris::service!` |
/// | `commands(M, ...)` | game clients' commands |
/// | `sessions` | news of clients that come and go: `SessionOpened` and `SessionClosed` |
#[proc_macro_derive(Service, attributes(service))]
pub fn derive_service(input: TokenStream) -> TokenStream {
    expanded(service::expand(&parse_macro_input!(input as DeriveInput)))
}

/// Makes a struct the row of a table: writes `lampyris::store::Entity`.
///
/// ```text
/// #[derive(Clone, Entity)]
/// #[entity(table = "players", mode = "behind")]
/// pub struct Player {
///     #[entity(key)]
///     pub id: String,
///     #[entity(foreign)]
///     pub guild: Option<i64>,
///     pub gold: i64,
///     #[entity(version)]
///     pub version: i64,
/// }
/// ```
///
/// | option | meaning | if absent |
/// | --- | --- | --- |
/// | `table = "..."` | the table | refused |
/// | `mode = "..."` | `through`: a change is done when the database has it; `behind`: when the journal has it | `through` |
/// | `crate = PATH` | where the names of the store are | `::lampyris::store` |
///
/// | option of a field | meaning |
/// | --- | --- |
/// | `key` | the primary key: a number or a text; required |
/// | `generated` | beside `key`: the database draws it |
/// | `foreign` | the key by which lists are asked for |
/// | `version` | a number that each change makes greater by one |
/// | `column = "..."` | the column's name, if not the field's |
#[proc_macro_derive(Entity, attributes(entity))]
pub fn derive_entity(input: TokenStream) -> TokenStream {
    expanded(entity::expand(&parse_macro_input!(input as DeriveInput)))
}

fn expanded(result: syn::Result<proc_macro2::TokenStream>) -> TokenStream {
    result.unwrap_or_else(syn::Error::into_compile_error).into()
}
