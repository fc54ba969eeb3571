//! `#[derive(Entity)]`: a struct as a row of a table.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, Ident, LitStr, Result, Type};

use crate::attr;
use crate::callable::refuse_generics;

const EXAMPLE: &str = r#"#[entity(table = "players", mode = "behind")]"#;

/// Longest name of a table or column, in bytes: the shortest limit among the databases is 63.
const MAX_NAME: usize = 60;

struct Options {
    table: LitStr,
    /// Where the store's names are.
    krate: syn::Path,
    behind: bool,
}

impl Options {
    fn read(input: &DeriveInput) -> Result<Self> {
        let (mut table, mut behind) = (None, false);
        let mut krate: syn::Path = syn::parse_quote!(::lampyris::store);
        attr::read(&input.attrs, "entity", EXAMPLE, |options| {
            attr::options(options, &["table", "mode", "crate"], |key, input| {
                if key == "crate" {
                    krate = attr::value(input)?;
                    return Ok(());
                }
                let text: LitStr = attr::value(input)?;
                match (key.to_string().as_str(), text.value().as_str()) {
                    ("table", _) => table = Some(plain(text)?),
                    (_, "behind") => behind = true,
                    (_, "through") => {}
                    _ => return Err(Error::new(text.span(), "a mode is \"through\" or \"behind\"")),
                }
                Ok(())
            })
        })?;
        let table = table.ok_or_else(|| Error::new(Span::call_site(), format!("no table: `{EXAMPLE}`")))?;
        Ok(Self { table, krate, behind })
    }
}

/// One field, and what its attribute says.
struct Column<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: LitStr,
    key: bool,
    generated: bool,
    foreign: bool,
    version: bool,
}

impl<'a> Column<'a> {
    fn read(field: &'a syn::Field, ident: &'a Ident) -> Result<Self> {
        let mut column = Self {
            ident,
            ty: &field.ty,
            name: LitStr::new(ident.to_string().trim_start_matches("r#"), ident.span()),
            key: false,
            generated: false,
            foreign: false,
            version: false,
        };
        if field
            .attrs
            .iter()
            .any(|attribute| attribute.path().is_ident("entity"))
        {
            let allowed = ["key", "generated", "foreign", "version", "column"];
            attr::read(&field.attrs, "entity", EXAMPLE, |options| {
                attr::options(options, &allowed, |key, input| {
                    match key.to_string().as_str() {
                        "key" => column.key = true,
                        "generated" => column.generated = true,
                        "foreign" => column.foreign = true,
                        "version" => column.version = true,
                        _ => column.name = attr::value(input)?,
                    }
                    Ok(())
                })
            })?;
        }
        column.name = plain(column.name)?;
        if column.generated && !column.key {
            return Err(Error::new(ident.span(), "only the key can be generated"));
        }
        Ok(column)
    }
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    refuse_generics(input)?;
    let options = Options::read(input)?;
    let columns = columns(input)?;
    let key = only(&columns, "key", |column| column.key)?
        .ok_or_else(|| Error::new(input.ident.span(), "no field is marked `#[entity(key)]`"))?;
    let foreign = only(&columns, "foreign", |column| column.foreign)?;
    let version = only(&columns, "version", |column| column.version)?;
    Ok(written(&input.ident, &options, &columns, key, foreign, version))
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>> {
    let Data::Struct(data) = &input.data else {
        return Err(Error::new(
            input.ident.span(),
            "an entity is a struct with named fields",
        ));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(Error::new(
            input.ident.span(),
            "an entity is a struct with named fields",
        ));
    };
    let named = fields
        .named
        .iter()
        .filter_map(|field| Some((field, field.ident.as_ref()?)));
    let columns: Vec<Column<'_>> = named
        .map(|(field, ident)| Column::read(field, ident))
        .collect::<Result<_>>()?;
    for (at, column) in columns.iter().enumerate() {
        let same = |other: &&Column<'_>| other.name.value().eq_ignore_ascii_case(&column.name.value());
        if columns[..at].iter().any(|other| same(&other)) {
            return Err(Error::new(
                column.name.span(),
                format!("a second column {:?}", column.name.value()),
            ));
        }
    }
    Ok(columns)
}

/// The position of the one column that is marked.
fn only(columns: &[Column<'_>], what: &str, marked: impl Fn(&Column<'_>) -> bool) -> Result<Option<usize>> {
    let mut marked = columns.iter().enumerate().filter(|(_, column)| marked(column));
    let first = marked.next().map(|(at, _)| at);
    match marked.next() {
        Some((_, second)) => Err(Error::new(
            second.ident.span(),
            format!("a second field marked `{what}`"),
        )),
        None => Ok(first),
    }
}

fn written(
    ident: &Ident,
    options: &Options,
    columns: &[Column<'_>],
    key: usize,
    foreign: Option<usize>,
    version: Option<usize>,
) -> TokenStream {
    let fields: Vec<&Ident> = columns.iter().map(|column| column.ident).collect();
    let places = 0..columns.len();
    let names: Vec<&LitStr> = columns.iter().map(|column| &column.name).collect();
    let krate = &options.krate;
    // What a type lacks is told where it stands.
    let types: Vec<TokenStream> = columns
        .iter()
        .map(|Column { ty, .. }| quote_spanned!(attr::at(ty.span())=> <#ty as #krate::Field>))
        .collect();
    let (table, generated, key_field) = (&options.table, columns[key].generated, columns[key].ident);
    let mode = if options.behind {
        quote!(Behind)
    } else {
        quote!(Through)
    };
    let foreign = foreign.map_or(
        quote!(::core::option::Option::None),
        |at| quote!(::core::option::Option::Some(#at)),
    );
    let touch = version.map(|at| {
        let (field, kind) = (columns[at].ident, &types[at]);
        quote! {
            fn touch(&mut self) -> ::std::option::Option<(usize, #krate::Value)> {
                self.#field += 1;
                ::std::option::Option::Some((#at, #kind::to_value(&self.#field)))
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #krate::Entity for #ident {
            const TABLE: &'static #krate::Table = &#krate::Table {
                name: #table,
                columns: &[#(#krate::Column {
                    name: #names,
                    kind: #types::KIND,
                    nullable: #types::NULLABLE,
                }),*],
                key: #key,
                foreign: #foreign,
                generated: #generated,
                mode: #krate::Mode::#mode,
            };

            fn key(&self) -> #krate::Key {
                ::core::convert::From::from(::core::clone::Clone::clone(&self.#key_field))
            }

            fn to_row(&self) -> ::std::vec::Vec<#krate::Value> {
                ::std::vec![#(#types::to_value(&self.#fields)),*]
            }

            fn from_row(
                row: ::std::vec::Vec<#krate::Value>,
            ) -> ::core::result::Result<Self, ::std::string::String> {
                let mut row = ::core::iter::IntoIterator::into_iter(row);
                ::core::result::Result::Ok(Self {
                    #(#fields: #krate::field(&mut row, #names)?),*
                })
            }

            fn changes(&self, before: &Self) -> ::std::vec::Vec<(usize, #krate::Value)> {
                let mut changes = ::std::vec::Vec::with_capacity(4);
                #(if !#types::same(&self.#fields, &before.#fields) {
                    changes.push((#places, #types::to_value(&self.#fields)));
                })*
                changes
            }

            #touch
        }
    }
}

/// A name that every database takes, and that needs no care in a statement.
fn plain(name: LitStr) -> Result<LitStr> {
    let text = name.value();
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    if text.starts_with(first)
        && text.len() <= MAX_NAME
        && text.chars().all(|c| first(c) || c.is_ascii_digit())
    {
        return Ok(name);
    }
    let text = format!(
        "{text:?} is no name for a table or column: [A-Za-z_][A-Za-z0-9_]*, at most {MAX_NAME} bytes"
    );
    Err(Error::new(name.span(), text))
}
