package dev.graft.peft.store;

import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Arrays;
import java.util.Base64;
import javax.crypto.AEADBadTagException;
import javax.crypto.Cipher;
import javax.crypto.spec.GCMParameterSpec;
import javax.crypto.spec.SecretKeySpec;

/**
 * Encryption of an adapter's files: AES-256 in Galois/counter mode with a fresh 96-bit nonce before each file's ciphertext. The adapter's id and
 * the file's name are authenticated with it, so files can't be swapped.
 */
public final class FileEncryption {
    private static final int KEY_BYTES = 32;
    private static final int NONCE_BYTES = 12;
    private static final int TAG_BITS = 128;
    private static final SecureRandom RANDOM = new SecureRandom();

    private final SecretKeySpec key;

    private FileEncryption(byte[] key) {
        this.key = new SecretKeySpec(key, "AES");
    }

    /**
     * Reads the key of a file: 32 bytes in base 64.
     *
     * @throws InputException if its content is anything else
     */
    public static FileEncryption read(Path file) {
        try {
            byte[] key = Base64.getDecoder().decode(Files.readString(file).strip());
            if (key.length == KEY_BYTES) {
                return new FileEncryption(key);
            }
        } catch (IOException e) {
            throw new InputException(file + ": cannot read the key: " + e.getMessage(), e);
        } catch (IllegalArgumentException noBase64) {
            // said below, without what the file holds
        }
        throw new InputException(file + ": is no key, expected " + KEY_BYTES + " bytes in base 64");
    }

    /** Returns a new key in the form of a key file. */
    public static String newKey() {
        byte[] key = new byte[KEY_BYTES];
        RANDOM.nextBytes(key);
        return Base64.getEncoder().encodeToString(key) + "\n";
    }

    byte[] encrypt(byte[] content, String id, String name) {
        byte[] nonce = new byte[NONCE_BYTES];
        RANDOM.nextBytes(nonce);
        try {
            byte[] closed = cipher(Cipher.ENCRYPT_MODE, nonce, id, name).doFinal(content);
            byte[] all = Arrays.copyOf(nonce, NONCE_BYTES + closed.length);
            System.arraycopy(closed, 0, all, NONCE_BYTES, closed.length);
            return all;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("cannot encrypt: " + e.getMessage(), e);
        }
    }

    byte[] decrypt(byte[] closed, String id, String name) {
        if (closed.length < NONCE_BYTES) {
            throw new InputException(name + ": is cut off");
        }
        byte[] nonce = Arrays.copyOf(closed, NONCE_BYTES);
        try {
            return cipher(Cipher.DECRYPT_MODE, nonce, id, name)
                    .doFinal(closed, NONCE_BYTES, closed.length - NONCE_BYTES);
        } catch (AEADBadTagException wrong) {
            throw new InputException(
                    name + ": can't be decrypted: the key is another one, or the file was changed", wrong);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("cannot decrypt: " + e.getMessage(), e);
        }
    }

    private Cipher cipher(int mode, byte[] nonce, String id, String name) throws GeneralSecurityException {
        Cipher cipher = Cipher.getInstance("AES/GCM/NoPadding");
        cipher.init(mode, key, new GCMParameterSpec(TAG_BITS, nonce));
        cipher.updateAAD((id + "/" + name).getBytes(StandardCharsets.UTF_8));
        return cipher;
    }
}
