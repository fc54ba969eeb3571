//! `#[derive(Command)]`: a client's payload into a struct, a reply into a client's frame.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, LitInt, Member, Result, Token};

use crate::attr;
use crate::callable::{Callable, Outcome, refuse_generics};

const EXAMPLE: &str = "#[command(100, reply = ...)]";

struct Options {
    number: u32,
    serial: bool,
    outcome: Outcome,
}

impl Options {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut outcome = Outcome::default();
        let mut serial = false;
        let number = attr::read(&input.attrs, "command", EXAMPLE, |options| {
            let number = number(options)?;
            attr::options(options, &["reply", "error", "serial"], |key, input| {
                if key == "serial" {
                    serial = true;
                    return Ok(());
                }
                outcome.read(key, input)
            })?;
            Ok(number)
        })?;
        Ok(Self {
            number,
            serial,
            outcome,
        })
    }
}

/// Reads the number and the comma behind it.
fn number(input: ParseStream<'_>) -> Result<u32> {
    if !input.peek(LitInt) {
        let at = if input.is_empty() {
            Span::call_site()
        } else {
            input.span()
        };
        return Err(Error::new(
            at,
            format!("the command's number comes first, from 1: `{EXAMPLE}`"),
        ));
    }
    let literal: LitInt = input.parse()?;
    let complaint = match literal.base10_parse() {
        Ok(0) => "command 0 is the error frame's; numbers are from 1",
        Err(_) => "no command's number: they are whole, from 1 to 4294967295",
        Ok(number) => {
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
            return Ok(number);
        }
    };
    Err(Error::new(literal.span(), complaint))
}

/// Which fields a command has.
struct Parts<'a> {
    session: Option<(Member, &'a Field)>,
    payload: Option<(Member, &'a Field)>,
}

impl<'a> Parts<'a> {
    fn of(input: &'a DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new(
                input.ident.span(),
                "a command is a struct; an enum can be its payload",
            ));
        };
        let mut parts = Self {
            session: None,
            payload: None,
        };
        for (member, field) in data.fields.members().zip(&data.fields) {
            let is_session = field.ident.as_ref().is_some_and(|name| name == "session");
            let part = if is_session {
                &mut parts.session
            } else {
                &mut parts.payload
            };
            if part.replace((member, field)).is_some() {
                return Err(Error::new_spanned(field, second_payload(&data.fields)));
            }
        }
        Ok(parts)
    }

    /// The expression that reads the struct from `body` and `origin`.
    fn read(&self) -> TokenStream {
        let session = self.session.as_ref().map(|(member, field)| {
            let at = attr::at(field.ty.span());
            quote_spanned!(at=> #member: ::lampyris::message::session_of(origin)?,)
        });
        let payload = self.payload.as_ref().map(|(member, field)| {
            let at = attr::at(field.ty.span());
            quote_spanned!(at=> #member: ::lampyris::message::FromClient::from_client(body)?,)
        });
        quote!(::core::result::Result::Ok(Self { #session #payload }))
    }
}

fn second_payload(fields: &Fields) -> &'static str {
    match fields {
        Fields::Named(_) => {
            "a second field for the payload; a command has `session` and one other: put several into Json<T> or Msgpack<T>"
        }
        _ => {
            "a second field for the payload; put several into Json<T> or Msgpack<T>, and name the fields to have `session`"
        }
    }
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    refuse_generics(input)?;
    let Options {
        number,
        serial,
        outcome,
    } = Options::read(input)?;
    let ident = &input.ident;
    let name = format!("command.{number}");
    let type_ = &outcome.reply;
    let reply = attr::at(type_.span());
    let callable = Callable {
        ident,
        name: quote!(#name),
        outcome: &outcome,
        read: Parts::of(input)?.read(),
        write: quote_spanned!(reply=> ::lampyris::message::IntoClient::write_client(reply, out)),
        relay: quote_spanned! {reply=>
            ::core::option::Option::Some(::lampyris::message::relay_command::<#type_>)
        },
    };
    let callable = callable.expand();
    Ok(quote! {
        #callable

        #[automatically_derived]
        impl ::lampyris::message::Command for #ident {
            const NUMBER: u32 = #number;
            const SERIAL: bool = #serial;
        }
    })
}
