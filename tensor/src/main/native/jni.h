// What the generated header of the loops needs of the JDK's jni.h, which would need a C library.

#pragma once

#define JNIEXPORT __attribute__((visibility("default")))
#define JNICALL

using jlong = long long;
using jint = int;
using jfloat = float;

struct JNIEnv;
using jclass = struct JavaClass *;
