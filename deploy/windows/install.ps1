# Starts the server at every boot, as a task of the system; run it once in PowerShell as administrator:
#   powershell -ExecutionPolicy Bypass -File deploy\windows\install.ps1
# Remove it with: Unregister-ScheduledTask kokoro-tts-api
$ErrorActionPreference = "Stop"
$root = (Resolve-Path "$PSScriptRoot\..\..").Path
$python = "$root\.venv\Scripts\python.exe"
if (-not (Test-Path $python)) { throw "Start run.bat once before: it makes $python." }

$data = "$env:ProgramData\kokoro-tts-api"
$folders = "--model-dir `"$data\models`" --data-dir `"$data\books`" --temp-dir `"$data\temp`""
$action = New-ScheduledTaskAction -Execute $python -Argument "-m tts serve $folders" -WorkingDirectory $root
$trigger = New-ScheduledTaskTrigger -AtStartup
$account = New-ScheduledTaskPrincipal -UserId "NT AUTHORITY\LOCAL SERVICE" -LogonType ServiceAccount
$settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit 0 -RestartCount 10 -RestartInterval (New-TimeSpan -Minutes 1) `
    -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries

New-Item -ItemType Directory -Force $data | Out-Null
icacls $data /grant "*S-1-5-19:(OI)(CI)M" | Out-Null    # LOCAL SERVICE may write there
Register-ScheduledTask kokoro-tts-api -Action $action -Trigger $trigger -Principal $account -Settings $settings -Force | Out-Null
Start-ScheduledTask kokoro-tts-api
Write-Output "Started, and from now on at every boot: http://localhost:9880"
