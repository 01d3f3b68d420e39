import { descriptorOf, type Folder } from "../host/folder.ts";
import { libc } from "../host/libc.ts";

/** The abilities of a file system to report on its files. */
export interface FileSystem {
  /** Whether events report every change, also one made by another host or mount. */
  tellsEvents: boolean;
  /** Whether a lease shows that somebody has a file open for writing. */
  tellsWriters: boolean;
}

const LOCAL: FileSystem = { tellsEvents: true, tellsWriters: true };
/** On this host the same files may be reached another way, without events. */
const STACKED: FileSystem = { tellsEvents: false, tellsWriters: true };
const REMOTE: FileSystem = { tellsEvents: false, tellsWriters: false };

/** The file systems by the magic numbers of `statfs(2)`. */
const KINDS: Readonly<Record<number, FileSystem>> = {
  0x794c7630: STACKED, // overlay
  0x61756673: STACKED, // aufs
  0x65735546: REMOTE, // FUSE, and with it virtiofs
  0x6969: REMOTE, // NFS
  0xff534d42: REMOTE, // CIFS
  0xfe534d42: REMOTE, // SMB 2 and later
  0x517b: REMOTE, // SMB
  0x01021997: REMOTE, // 9P
  0x786f4256: REMOTE, // VirtualBox
  0xbacbacbc: REMOTE, // VMware
  0x7c7c6673: REMOTE, // Parallels
  0x00c36400: REMOTE, // Ceph
  0x0bd00bd0: REMOTE, // Lustre
  0x47504653: REMOTE, // GPFS
  0x01161970: REMOTE, // GFS2
  0x7461636f: REMOTE, // OCFS2
  0x5346414f: REMOTE, // AFS
  0x73757245: REMOTE, // Coda
};

/** Returns the abilities of the file system of a folder. */
export function fileSystemOf(folder: Folder): FileSystem {
  const fd = descriptorOf(folder);
  if (fd === undefined) return LOCAL;
  const result = new BigUint64Array(32);
  if (libc!.fstatfs(fd, result) !== 0) return LOCAL;
  return KINDS[Number(result[0]! & 0xffff_ffffn)] ?? LOCAL;
}
