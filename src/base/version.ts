/** Of this program: package.json's. */
export const version = '0.1.0';
