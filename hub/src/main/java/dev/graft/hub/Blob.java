package dev.graft.hub;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The hub's metadata of a file: its entity tag, and its size in bytes, -1 if unknown. The tag names the blob and is its checksum (64 digits:
 * SHA-256 of a large file, 40 digits: git's SHA-1 of a small one).
 */
record Blob(String etag, long size) {

    Blob {
        if (!etag.matches("[A-Za-z0-9][A-Za-z0-9._-]*")) {
            throw new FetchException("the hub's entity tag '" + etag + "' cannot name a file");
        }
    }

    /**
     * Returns whether the file matches the tag. A tag that is no checksum (a mirror's own) can only be compared by
     * size.
     */
    boolean matches(Path file) throws IOException {
        long length = Files.size(file);
        if (size >= 0 && length != size) {
            return false;
        }
        return switch (etag.length()) {
            case 64 -> digest("SHA-256", "", file).equals(etag);
            case 40 -> digest("SHA-1", "blob " + length + "\0", file).equals(etag);
            default -> true;
        };
    }

    private static String digest(String algorithm, String header, Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance(algorithm);
            digest.update(header.getBytes(java.nio.charset.StandardCharsets.US_ASCII));
            byte[] buffer = new byte[1 << 16];
            for (int n; (n = in.read(buffer)) >= 0; ) {
                digest.update(buffer, 0, n);
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has " + algorithm, e);
        }
    }
}
