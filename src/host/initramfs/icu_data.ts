// The data of ICU in Node's file: locales, scripts and character sets, of which a capture kernel needs none. They are a third of
// the packed file, and what is packed lies in the capture kernel's memory.

/** Items that belong to no locale, and those of English. */
const needed =
  /^(.*\.(icu|nrm|spp)|(root|en|en_US|en_US_POSIX|res_index|pool|supplementalData|zoneinfo64|timezoneTypes|metaZones|windowsZones|likelySubtags|icuver|icustd|keyTypeData|numberingSystems|plurals|pluralRanges|dayPeriods|genderList|grammaticalFeatures|units|langInfo|currencyNumericCodes)\.res)$/;

/**
 * A copy of Node's file with zeroes for the data of all locales but English, for transliteration and for character sets; the
 * file itself where its data is not found. ICU treats an item without its header as one that is not there. The package is a
 * common data archive, whose table of contents is sorted by name and place (icu4c/source/common/ucmndata.h).
 */
export function withoutLocales(node: Buffer): Buffer {
  const table = contentsAt(node);
  if (table === null) return node;
  const copy = Buffer.from(node);
  const count = copy.readUInt32LE(table);
  let [name, from] = itemAt(copy, table, 0);
  // the end of the last item is not told: it stays
  for (let i = 1; i < count; i++) {
    const [next, to] = itemAt(copy, table, i);
    if (!isNeeded(name) && from < to && to <= copy.length) copy.fill(0, from, to);
    [name, from] = [next, to];
  }
  return copy;
}

/** Where the table of contents is; null where there is none that can be trusted. */
function contentsAt(node: Buffer): number | null {
  for (let at = node.indexOf('CmnD'); at >= 0; at = node.indexOf('CmnD', at + 1)) {
    const header = at - 12;
    // DataHeader: its size, magic 0xda 0x27, UDataInfo with byte order and character set, then the format
    if (header < 0 || node[header + 2] !== 0xda || node[header + 3] !== 0x27 || node[header + 8] !== 0) continue;
    const table = header + node.readUInt16LE(header);
    if (table + 4 > node.length) continue;
    const count = node.readUInt32LE(table);
    if (count > 0 && count < 100_000 && table + 4 + 8 * count <= node.length) return table;
  }
  return null;
}

/** @returns an item's path in the package, and where it is in the file */
function itemAt(node: Buffer, table: number, i: number): [string, number] {
  const name = table + node.readUInt32LE(table + 4 + 8 * i);
  const end = node.indexOf(0, name);
  const path = name < node.length && end - name < 256 ? node.toString('latin1', name, end) : '';
  return [path, table + node.readUInt32LE(table + 8 + 8 * i)];
}

/** @param path `icudt78l/coll/de.res` */
function isNeeded(path: string): boolean {
  const [, ...parts] = path.split('/');
  return parts.length === 0 || (parts[0] !== 'translit' && needed.test(parts.at(-1)!));
}
