/** Largest file of FAT32: its size is a 32-bit number (Microsoft, "FAT: General Overview of On-Disk Format", 2000). */
export const largestOnFat = 2 ** 32 - 1

/** `f_type` of FAT in statfs(2). */
export const fatType = 0x4d44
