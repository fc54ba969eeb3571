//! What both kinds of messages have in common: a reply, an error, and the impls of `Message` and `Callable`.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Ident, Result, Type, parse_quote};

use crate::attr;

/// How a call of the message can end.
pub(crate) struct Outcome {
    pub(crate) reply: Type,
    error: Type,
}

impl Default for Outcome {
    fn default() -> Self {
        Self {
            reply: parse_quote!(()),
            error: parse_quote!(::lampyris::error::Failure),
        }
    }
}

impl Outcome {
    /// Reads the option `key`, `reply` or `error`.
    pub(crate) fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        let type_ = attr::value(input)?;
        if key == "reply" {
            self.reply = type_
        } else {
            self.error = type_
        }
        Ok(())
    }
}

/// A message, with the bodies of the three functions of `Callable`, which differ from kind to kind.
///
/// They may use `body` and `origin`, `reply` and `out`, `body` and `out`.
pub(crate) struct Callable<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) name: TokenStream,
    pub(crate) outcome: &'a Outcome,
    pub(crate) read: TokenStream,
    pub(crate) write: TokenStream,
    pub(crate) relay: TokenStream,
}

impl Callable<'_> {
    /// The impls of `actix::Message` and `Callable`.
    pub(crate) fn expand(&self) -> TokenStream {
        let Self {
            ident,
            name,
            outcome: Outcome { reply, error },
            read,
            write,
            relay,
        } = self;
        let failed = quote_spanned!(attr::at(error.span())=> ::lampyris::error::CallError<#error>);
        let result = quote_spanned!(attr::at(reply.span())=> ::core::result::Result<#reply, #failed>);
        let fault = quote!(::lampyris::export::runtime::error::Fault);
        let wrote = quote!(::core::result::Result<::lampyris::message::Wrote, #fault>);
        let buffer = quote!(&mut ::lampyris::export::bytes::BytesMut);
        quote! {
            #[automatically_derived]
            impl ::lampyris::export::actix::Message for #ident {
                type Result = #result;
            }

            #[automatically_derived]
            #[allow(unused_variables)]
            impl ::lampyris::message::Callable for #ident {
                type Reply = #reply;
                type Error = #error;
                const NAME: &'static str = #name;
                const RELAY: ::core::option::Option<::lampyris::message::Relay> = #relay;

                fn read(
                    body: ::lampyris::export::bytes::Bytes,
                    origin: &::lampyris::message::Origin,
                ) -> ::core::result::Result<Self, #fault> {
                    #read
                }

                fn write(reply: &#reply, out: #buffer) -> #wrote {
                    #write
                }
            }
        }
    }
}

/// Refuses a message with parameters: one name on the wire stands for one type.
pub(crate) fn refuse_generics(input: &DeriveInput) -> Result<()> {
    if input.generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(
        &input.generics,
        "a message has no parameters: its name stands for one type",
    ))
}
