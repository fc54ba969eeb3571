// What every module makes elements with: templates in place of a build step. Text in them stays text.
import { createElement, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";

export const html = htm.bind(createElement);
export { render };
export { useEffect, useLayoutEffect, useMemo, useRef, useState };
