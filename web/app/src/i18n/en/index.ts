import chat from './chat.json';
import shell from './shell.json';

export default { ...shell, ...chat };
