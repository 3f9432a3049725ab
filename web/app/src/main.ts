import { mount } from 'svelte';
import './lib/styles/tokens.css';
import './lib/styles/base.css';
import App from './App.svelte';
import { loadLanguage } from './i18n';
import type { Language } from './lib/device.svelte';

// boot.js chose the language; its strings come before the first paint so that nothing jumps.
await loadLanguage(document.documentElement.lang as Language);
mount(App, { target: document.getElementById('app') as HTMLElement });
