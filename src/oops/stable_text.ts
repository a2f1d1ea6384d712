// Texts of reports as they are in every report of one bug.

/** Text without what changes from run to run: addresses, numbers, CPU and process names, devices, offsets. */
export function stable(text: string): string {
  return text
    .replace(/\b0x[0-9a-f]{1,16}\b/gi, 'ADDR')
    .replace(/\b(?=[0-9a-f]{0,15}\d)[0-9a-f]{8,16}\b/gi, 'ADDR')
    .replace(/([A-Za-z_][\w.]{0,200})\+0x[0-9a-f]{1,8}(?:\/0x[0-9a-f]{1,8})?/g, '$1')
    .replace(/([A-Za-z_][\w.]{0,200})\+ADDR(?:\/ADDR)?/g, '$1')
    .replace(/\bCPU ?#?\d{1,5}\b/gi, 'CPU')
    .replace(/\b(?:sd[a-z]{1,3}|vd[a-z]{1,3}|nvme\d{1,3}n\d{1,3}|dm-|md|loop|mmcblk\d{1,3})p?\d{0,4}\b/g, 'DEV')
    .replace(/(\.(?:c|h|S|rs)):\d{1,7}(?::\d{1,7})?\b/g, '$1')
    .replace(/(?<![\w.-])-?\d{1,20}\b(?!\.\d)/g, 'NUM')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 160);
}
