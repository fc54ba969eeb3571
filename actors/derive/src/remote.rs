//! `#[derive(Remote)]`: MessagePack both ways, by serde.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, LitStr, Result};

use crate::attr;
use crate::callable::{Callable, Outcome, refuse_generics};

const EXAMPLE: &str = r#"#[remote(name = "service.message", reply = ..., error = ...)]"#;

struct Options {
    name: LitStr,
    outcome: Outcome,
}

impl Options {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut name = None;
        let mut outcome = Outcome::default();
        attr::read(&input.attrs, "remote", EXAMPLE, |options| {
            attr::options(options, &["name", "reply", "error"], |key, input| match key {
                key if key == "name" => attr::name(input).map(|read| name = Some(read)),
                key => outcome.read(key, input),
            })
        })?;
        let name = name.ok_or_else(|| Error::new(Span::call_site(), format!("no name: `{EXAMPLE}`")))?;
        Ok(Self { name, outcome })
    }
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    refuse_generics(input)?;
    let Options { name, outcome } = Options::read(input)?;
    let ident = &input.ident;
    let callable = Callable {
        ident,
        name: quote!(#name),
        outcome: &outcome,
        read: quote!(::lampyris::message::read_remote(body)),
        write: quote!(::lampyris::message::write_remote::<Self>(reply, out)),
        relay: quote!(::core::option::Option::None),
    };
    let callable = callable.expand();
    // What the reply lacks is told at the trait's path, what the message lacks at its name.
    let remote = quote_spanned!(attr::at(outcome.reply.span())=> ::lampyris::message::Remote);
    Ok(quote! {
        #callable

        #[automatically_derived]
        impl #remote for #ident {}
    })
}
