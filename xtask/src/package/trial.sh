#!/bin/bash
# Installs the package in the guest as people do, and goes through its life. What a step prints stands between "@@ begin NAME" and
# "@@ end NAME STATUS"; the host knows which steps there are.

exec >/dev/ttyAMA0 2>&1 </dev/null
export PATH=/usr/sbin:/usr/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive DPKG_COLORS=never
cd /tmp || exit

step() {
    echo "@@ begin $1"
    (set -e; "$1")
    echo "@@ end $1 $?"
}

# Waits for a command to succeed.
await() {
    for ((i = 0; i < 40; i++)); do
        if "$@"; then return; fi
        sleep 0.5
    done
    echo "waited in vain: $*"
    journalctl -u microtome -o cat -n 20
    ask GET /api/status
    return 1
}

# The kernel's own camera, plugged in before there is a package; it says that it is on USB.
camera() {
    mkdir -p /run/udev/rules.d
    echo 'SUBSYSTEM=="video4linux", ENV{ID_BUS}="usb"' >/run/udev/rules.d/65-usb.rules
    udevadm control --reload
    while read -r module; do
        case $module in vivid.ko) options="n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0" ;; *) options= ;; esac
        insmod "/modules/$module" $options || true
    done </modules/list
    udevadm settle
    test -c /dev/video0
}

install() {
    dpkg -i /microtome.deb
    microtome --version
    [[ $(id -nG microtome) == *video* && $(id -nG microtome) == *gpio* ]]
    udevadm settle
    [[ $(readlink -f /dev/microtome-camera) == /dev/video0 ]]
    [[ $(stat -c %G:%a /dev/video0) == video:660 ]]
    # Nobody has asked for the service yet.
    [[ $(systemctl is-enabled microtome) == disabled ]]
    [[ $(systemctl is-active microtome) == inactive ]]
}

outputs() {
    microtome simulate --frames 1 --width 160 --height 120 --out frames >log 2>&1
    microtome run /usr/share/microtome/models/nuclei.mtm frames/images --out results >>log 2>&1
    find frames results -type f | LC_ALL=C sort | xargs sha256sum
}

# Asks the service, as the page does.
ask() {
    token=$(journalctl -u microtome -o cat | sed -n 's/.*?token=//p' | tail -n 1)
    exec 3<>/dev/tcp/127.0.0.1/8080 || return
    printf '%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n' "$1" "$2" "$token" >&3
    timeout 10 cat <&3
    exec 3>&-
}

sees() {
    ask GET /api/status 2>/dev/null | grep -q '"done":[1-9]'
}

process() {
    systemctl show -p MainPID --value microtome
}

start() {
    sed -i 's/^OPTIONS=.*/OPTIONS="--token auto --size 320x180 --pixel-format grey"/' /etc/default/microtome
    systemctl enable --now microtome
    await sees
    ask GET / | grep -qi '<html'
    ask GET /api/model | grep -q nuclei-micro
    [[ $(stat -c %U "/proc/$(process)") == microtome ]]
}

# As the service's user, beside the service.
doctor() {
    setpriv --reuid=microtome --regid=microtome --init-groups microtome doctor --out /var/lib/microtome | tee found
    grep -q '^good *self-test' found
    grep -q '^good *cameras *.*/dev/video0' found
    ! grep -q PROBLEM found
}

record() {
    ask POST /api/recording | grep -q ' 20[01] '
    before=$(ask GET /api/status | grep -o '"done":[0-9]*')
    more() { [[ $(ask GET /api/status | grep -o '"done":[0-9]*') != "$before" ]]; }
    await more
    ask DELETE /api/recording | grep -q ' 200 '
    find /var/lib/microtome -type f | grep -q objects
}

# A setting that was changed stays, and the service goes on with the new program.
upgrade() {
    before=$(process)
    dpkg -i /microtome.deb
    grep -q 320x180 /etc/default/microtome
    await sees
    [[ $(process) != "$before" ]]
}

remove() {
    dpkg -r microtome
    [[ $(systemctl is-active microtome) == inactive ]]
    [[ ! -e /usr/bin/microtome && -e /etc/default/microtome ]]
}

# Of all that it brought, the recordings stay.
purge() {
    dpkg -P microtome
    left=$(find / -xdev -path /tmp -prune -o -name '*microtome*' -print)
    echo "$left"
    [[ $left == $'/var/lib/microtome\n/microtome.deb' || $left == $'/microtome.deb\n/var/lib/microtome' ]]
    ! dpkg -s microtome
}

for name in camera install outputs start doctor record upgrade remove purge; do step "$name"; done
