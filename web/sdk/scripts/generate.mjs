// Makes src/gen anew: the error table and, by buf with a plugin of our own, the codec's tables.
import './errors.mjs';
