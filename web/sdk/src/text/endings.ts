/** The endings of hosts that make a bare name a link. Endings of files and everyday words are not among them. */
export const ENDINGS: ReadonlySet<string> = new Set(
  // Of no country. Not `zip`, `mov` and others that are files too.
  (
    'com org net edu gov mil int info biz name pro io ai app dev tech cloud online site website space store shop blog news ' +
    'wiki page live club world social chat community network digital media agency studio design software games team ' +
    'company email xyz art audio tools systems solutions services support academy global earth eco coop museum travel ' +
    'jobs mobi tel asia cat berlin london paris nyc tokyo wien hamburg bayern swiss brussels amsterdam scot wales ' +
    // Of countries, and of what uses their endings. Not those that are words or files: in, is, so, my, do, id, us, am,
    // py, rs, sh, md, ps.
    'ac ad ae af ag al ar at au az ba be bg bh bo br by ca cc ch ci cl cm cn co cr cu cy cz de dk dz ec ee eg es eu fi fm fo ' +
    'fr gd ge gg gh gl gr gt hk hn hr hu ie il im iq ir it je jo jp ke kg kh kr kw kz lb li lk lt lu lv ly ma mc me mk mm ' +
    'mn mo mt mu mx mz na ng ni nl no np nu nz om pa pe ph pk pl pt pw qa re ro ru sa sc sd se sg si sk sn st su sv sy th ' +
    'tj tm tn to tr tt tv tw tz ua ug uk uy uz va ve vn yt za zm zw ' +
    // In letters of their own.
    'рф рус укр бел қаз срб ελ ευ'
  ).split(' '),
);
