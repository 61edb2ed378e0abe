package dev.graft.train.data.internal;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.stream.Stream;

/** SHA-256 (FIPS 180-4). */
public final class Sha256 {
    private Sha256() {}

    /** A digest to feed. */
    public static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** Of pieces, one after another, in hexadecimal. */
    static String of(Stream<byte[]> pieces) {
        MessageDigest digest = digest();
        pieces.forEachOrdered(digest::update);
        return HexFormat.of().formatHex(digest.digest());
    }
}
