package dev.graft.peft.store;

import dev.graft.formats.InputException;
import dev.graft.formats.Sha256;
import java.nio.ByteBuffer;
import java.util.HexFormat;

/**
 * A share of an alias's requests that another version serves, as a trial on a few requests.
 *
 * @param target the other version, such as {@code sql@2}
 * @param share the share of the requests, above 0 and below 1
 */
public record Canary(String target, double share) {
    /** @throws InputException if the share is outside (0, 1) */
    public Canary {
        if (!(share > 0 && share < 1)) {
            throw new InputException("the share is " + share + ", expected more than 0 and less than 1");
        }
    }

    /**
     * Returns whether it serves a request: if a hash of alias and key, as a number in [0, 1), is below the share. So a key always has the same
     * version, and a larger share adds keys without removing any.
     *
     * @param key the identity of the request, such as the name of a user
     */
    public boolean accepts(String alias, String key) {
        String hash = Sha256.of(alias + "\0" + key);
        long first = ByteBuffer.wrap(HexFormat.of().parseHex(hash)).getLong();
        return (first >>> 11) * 0x1p-53 < share;
    }
}
