import { mount } from 'svelte';
import List from './List.svelte';

const target = document.getElementById('app');
if (target) Object.assign(window, { list: mount(List, { target }) });
