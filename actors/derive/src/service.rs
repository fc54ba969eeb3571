//! `#[derive(Service)]`: an actor's table of handlers.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{DeriveInput, Error, Ident, LitStr, Result, Token, Type, parenthesized};

use crate::attr;

const EXAMPLE: &str = r#"#[service(name = "...", serves(...))]"#;

#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    serves: Vec<Type>,
    contract: Option<Type>,
    commands: Vec<Type>,
    sessions: Option<Span>,
}

impl Options {
    fn read(input: &DeriveInput) -> Result<Self> {
        let mut read = Self::default();
        let allowed = ["name", "serves", "contract", "commands", "sessions"];
        attr::read(&input.attrs, "service", EXAMPLE, |options| {
            attr::options(options, &allowed, |key, input| read.option(key, input))
        })
        .map(|()| read)
    }

    fn option(&mut self, key: &Ident, input: ParseStream<'_>) -> Result<()> {
        match key.to_string().as_str() {
            "name" => self.name = Some(attr::name(input)?),
            "serves" => self.serves = messages(input)?,
            "contract" => self.contract = Some(attr::value(input)?),
            "commands" => self.commands = messages(input)?,
            _ => self.sessions = Some(key.span()),
        }
        if let Some(contract) = &self.contract
            && !self.serves.is_empty()
        {
            let text =
                "the contract is the list of messages from other nodes; leave out `serves` or `contract`";
            return Err(Error::new_spanned(contract, text));
        }
        Ok(())
    }

    /// The entries of the actor's own list, one expression each, at the message's place.
    fn entries(&self) -> Vec<TokenStream> {
        let entry = |function: &str, span: Span, message: Option<&Type>| {
            let function = Ident::new(function, attr::at(span));
            let message = message.map(|message| quote_spanned!(attr::at(span)=> ::<#message>));
            quote_spanned!(attr::at(span)=> ::lampyris::service::Entry::<Self>::#function #message ())
        };
        let serves = self
            .serves
            .iter()
            .map(|message| entry("remote", message.span(), Some(message)));
        let commands = self
            .commands
            .iter()
            .map(|message| entry("command", message.span(), Some(message)));
        let news = self
            .sessions
            .iter()
            .flat_map(|span| ["opened", "closed"].map(|news| entry(news, *span, None)));
        serves.chain(commands).chain(news).collect()
    }

    /// The whole table: the contract's entries, then the actor's own.
    fn table(&self) -> TokenStream {
        let own = self.entries();
        let Some(contract) = &self.contract else {
            return quote!(&[#(#own),*]);
        };
        let count = own.len();
        quote_spanned! {attr::at(contract.span())=>
            &::lampyris::service::Entry::join::<{ <#contract>::LEN }, #count, { <#contract>::LEN + #count }>(
                <#contract>::entries::<Self>(),
                [#(#own),*],
            )
        }
    }
}

/// Reads `(M, ...)`.
fn messages(input: ParseStream<'_>) -> Result<Vec<Type>> {
    let list;
    parenthesized!(list in input);
    let messages: Vec<Type> = Punctuated::<Type, Token![,]>::parse_terminated(&list)?
        .into_iter()
        .collect();
    let mut seen = HashSet::new();
    if let Some(twice) = messages
        .iter()
        .find(|message| !seen.insert(quote!(#message).to_string()))
    {
        return Err(Error::new_spanned(twice, "listed twice"));
    }
    Ok(messages)
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let options = Options::read(input)?;
    let no_name = || Error::new(Span::call_site(), format!("no name: `{EXAMPLE}`"));
    let name = options.name.as_ref().ok_or_else(no_name)?;
    let table = options.table();
    let ident = &input.ident;
    let (params, args, bounds) = input.generics.split_for_impl();
    let serves = options.serves.iter().map(|message| {
        quote_spanned! {attr::at(message.span())=>
            #[automatically_derived]
            impl #params ::lampyris::service::Serves<#message> for #ident #args #bounds {}
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #params ::lampyris::service::Service for #ident #args #bounds {
            const NAME: &'static str = #name;
            const TABLE: &'static [::lampyris::service::Entry<Self>] = #table;
        }

        #(#serves)*

        #[automatically_derived]
        impl #params ::lampyris::export::actix::Handler<::lampyris::service::Wake> for #ident #args #bounds {
            type Result = ();

            fn handle(
                &mut self,
                wake: ::lampyris::service::Wake,
                ctx: &mut <Self as ::lampyris::export::actix::Actor>::Context,
            ) {
                ::lampyris::service::drain(self, &wake, ctx)
            }
        }
    })
}
