//! A contract: the list of a service's messages, apart from the actor that answers them.
//!
//! Must not know any actor.

/// Declares a service's contract, for callers that do not know the actor behind it.
///
/// A crate of messages declares it; callers hold a [`RemoteAddr<GameRoom>`](crate::remote::RemoteAddr), and the actor,
/// in a crate of its own, takes the list over with `contract = GameRoom`. A message that the actor does not handle is
/// a compile error there.
///
/// ```
/// use lampyris::prelude::*;
///
/// #[derive(Serialize, Deserialize, Remote)]
/// #[remote(name = "room.enter", reply = u32)]
/// pub struct Enter;
///
/// #[derive(Serialize, Deserialize, Remote)]
/// #[remote(name = "room.leave")]
/// pub struct Leave;
///
/// lampyris::service! {
///     /// A room of the game.
///     pub GameRoom { Enter, Leave }
/// }
///
/// // Elsewhere: who calls.
/// fn enter(room: &RemoteAddr<GameRoom>) -> Call<Enter> {
///     room.call(Enter)
/// }
///
/// // Elsewhere: who answers.
/// #[derive(Service)]
/// #[service(name = "room", contract = GameRoom)]
/// struct Room {
///     players: u32,
/// }
///
/// impl Actor for Room {
///     type Context = Context<Self>;
/// }
///
/// impl Handler<Enter> for Room {
///     type Result = Result<u32, CallError>;
///
///     fn handle(&mut self, _: Enter, _: &mut Context<Self>) -> Self::Result {
///         self.players += 1;
///         Ok(self.players)
///     }
/// }
///
/// impl Handler<Leave> for Room {
///     type Result = Result<(), CallError>;
///
///     fn handle(&mut self, _: Leave, _: &mut Context<Self>) -> Self::Result {
///         self.players = self.players.saturating_sub(1);
///         Ok(())
///     }
/// }
/// ```
#[macro_export]
macro_rules! service {
    ($(#[$meta:meta])* $vis:vis $contract:ident { $($message:ty),+ $(,)? }) => {
        $(#[$meta])*
        $vis struct $contract;

        $(impl $crate::service::Serves<$message> for $contract {})+

        impl $contract {
            /// How many messages the contract has.
            #[doc(hidden)]
            $vis const LEN: usize = [$(::core::stringify!($message)),+].len();

            /// The entries of an actor that fulfils the contract.
            #[doc(hidden)]
            $vis const fn entries<A>() -> [$crate::service::Entry<A>; Self::LEN]
            where
                A: $crate::export::actix::Actor,
                $(A: $crate::export::actix::Handler<$message, Result: $crate::service::Respond<A, $message>>,)+
            {
                [$($crate::service::Entry::remote::<$message>()),+]
            }
        }
    };
}
